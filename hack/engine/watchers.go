package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// watcherLimit is how many inotify instances the processes of one user may have, those in containers
// included: all of root's count together.
const watcherLimit = "/proc/sys/fs/inotify/max_user_instances"

// enoughWatchers is for four clusters at once: a node takes some 25 instances, a proxy's agent 2. The
// kernel's default is 128, and what gets none ends with "too many open files".
const enoughWatchers = 1024

// raiseWatchers lifts the limit where it is too low; note is told before what it was.
func raiseWatchers(path string, note func(limit int) error) error {
	now, err := readLimit(path)
	if err != nil || now >= enoughWatchers {
		return err
	}
	if err := note(now); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(enoughWatchers)+"\n"), 0o644); err != nil {
		return fmt.Errorf("raise the limit of inotify instances: %w", err)
	}
	return nil
}

// noteWatchers writes down the limit the machine had, for Stop to restore.
func (l layout) noteWatchers(limit int) error {
	found, known := readBefore(l)
	if !known || found.Watchers != "" {
		return nil
	}
	found.Watchers = strconv.Itoa(limit)
	return found.write(l)
}

// restoreWatchers sets the limit back, unless somebody has changed it since.
func (b before) restoreWatchers(path string) error {
	if b.Watchers == "" {
		return nil
	}
	if now, err := readLimit(path); err != nil || now != enoughWatchers {
		return err
	}
	if err := os.WriteFile(path, []byte(b.Watchers+"\n"), 0o644); err != nil {
		return fmt.Errorf("restore the limit of inotify instances: %w", err)
	}
	return nil
}

// fewWatchers is the remark about a limit that the project does not change, since the engine is not its
// own; empty where the limit will do.
func fewWatchers(path string) string {
	now, err := readLimit(path)
	if err != nil || now >= enoughWatchers {
		return ""
	}
	return fmt.Sprintf("fs.inotify.max_user_instances is %d; if pods end with \"too many open files\", set it to %d with sysctl", now, enoughWatchers)
}

func readLimit(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the limit of inotify instances: %w", err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the limit of inotify instances: %w", err)
	}
	return limit, nil
}
