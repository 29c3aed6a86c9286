package ingest

import (
	"os"
	"os/exec"
	"syscall"
)

// confinement is how a child that reads hostile bytes is kept off the network:
// flags of clone(2), beside the lists of protocols that ffmpeg is told to keep to.
type confinement struct {
	flags   uintptr
	mapping bool // in a user namespace, in which it is who we are
}

// tryConfinement returns the best way that this system allows: a network
// namespace of its own, which root may make, else one inside a user namespace; false: none.
func tryConfinement() (confinement, bool) {
	path, err := exec.LookPath("true")
	if err != nil {
		return confinement{}, false
	}
	for _, c := range []confinement{{flags: syscall.CLONE_NEWNET}, {flags: syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER, mapping: true}} {
		cmd := exec.Command(path)
		cmd.SysProcAttr = isolated()
		c.apply(cmd.SysProcAttr)
		if cmd.Run() == nil {
			return c, true
		}
	}
	return confinement{}, false
}

func (c confinement) apply(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= c.flags
	if c.mapping {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
}
