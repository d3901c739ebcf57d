// Package capability says which Linux capabilities a process can never gain, because
// the machine it runs on has taken them out of its bounding set.
package capability

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// names are the kernel's capabilities in the order of their numbers (linux/capability.h).
var names = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// SysResource is the capability without which no limit can be raised.
const SysResource = "CAP_SYS_RESOURCE"

// Set holds capabilities by name.
type Set map[string]bool

// String lists the names in alphabetical order.
func (s Set) String() string {
	return strings.Join(slices.Sorted(maps.Keys(s)), ", ")
}

// Missing reads from the proc file system which of the kernel's capabilities are not in
// this process's bounding set.
func Missing() (Set, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("read the bounding set: %w", err)
	}
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return nil, fmt.Errorf("read the kernel's last capability: %w", err)
	}
	return missing(string(status), string(last))
}

// missing compares the CapBnd line of a process's status with the number of the kernel's last capability.
func missing(status, last string) (Set, error) {
	lastNumber, err := strconv.Atoi(strings.TrimSpace(last))
	if err != nil || lastNumber < 0 || lastNumber > 63 {
		return nil, fmt.Errorf("the kernel's last capability is %q, want a number from 0 to 63", strings.TrimSpace(last))
	}
	for line := range strings.Lines(status) {
		mask, found := strings.CutPrefix(line, "CapBnd:")
		if !found {
			continue
		}
		bounding, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("parse the bounding set: %w", err)
		}
		absent := Set{}
		// A kernel newer than the list knows capabilities that no OCI runtime of its
		// time asks for by name; they need no removing.
		for number, name := range names {
			if number <= lastNumber && bounding&(1<<number) == 0 {
				absent[name] = true
			}
		}
		return absent, nil
	}
	return nil, fmt.Errorf("the process's status has no CapBnd line")
}
