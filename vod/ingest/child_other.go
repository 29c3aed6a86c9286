//go:build unix && !linux

package ingest

import "syscall"

// isolated puts a child into its own process group; only Linux can tie its life to ours.
func isolated() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func yieldTo(pid int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, 10) }
