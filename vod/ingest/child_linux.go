package ingest

import "syscall"

// isolated puts a child into its own process group and ties its life to ours.
func isolated() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// yieldTo lowers a child's priority so that viewers are served first. It may fail; the film is made all the same.
func yieldTo(pid int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, 10) }
