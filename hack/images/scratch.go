package images

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"mesh-conformance/hack/problem"
)

// scratch is where builds are under way.
func (s store) scratch() string { return filepath.Join(s.dir, "scratch") }

// sweep removes what interrupted builds left; the run lock makes sure no other build is under way.
func (s store) sweep() error {
	if err := discard(s.scratch()); err != nil {
		return problem.Environment("cannot remove what an interrupted build left", s.scratch(), "remove it by hand", err)
	}
	return nil
}

// discard removes a folder of a build and nothing else: a root file system that was killed half-way may
// have the machine's own /proc, /sys or /dev mounted in it.
func discard(dir string) error {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read what is mounted: %w", err)
	}
	for _, point := range mountsBelow(string(mountinfo), dir) {
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return os.RemoveAll(dir)
}

// mountsBelow are the mount points inside dir, last mounted first.
func mountsBelow(mountinfo, dir string) []string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	var points []string
	for line := range strings.Lines(mountinfo) {
		// 36 35 98:0 /root /mount/point options: the fifth field, with blanks as octal escapes.
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := unescape.Replace(fields[4]); strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points
}

// unescape undoes what the kernel does to a path in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
