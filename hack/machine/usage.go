package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subjectPrograms are the processes of an Istio build, by the first 15 bytes of their names, which is all that the
// kernel keeps.
var subjectPrograms = []string{"pilot-discovery", "pilot-agent", "envoy", "istioctl", "install-cni", "istio-cni"}

// tickRate is the unit of processor times in the kernel's process files: USER_HZ, 100 a second on every architecture
// of Go's.
const tickRate = 100

// usage is the processor time that was used up to a moment.
type usage struct {
	at time.Time
	// used is that of the clusters, or of the whole machine.
	used time.Duration
	// of is that of each process of the build under test.
	of map[process]time.Duration
}

// process tells a process from a later one with the same id by the time at which it started, in ticks since the
// machine did.
type process struct {
	pid     string
	started string
	name    string
}

// shares is who used the processors in a stretch.
type shares struct {
	// used is how many cores were used on average, subject the share of that, 0 to 1, which the build under test used.
	used, subject float64
	busiest       string
}

// since returns the shares of what was used after an earlier moment.
func (u usage) since(earlier usage) shares {
	used := u.used - earlier.used
	lasted := u.at.Sub(earlier.at)
	if used <= 0 || lasted <= 0 {
		return shares{}
	}
	var subject, most time.Duration
	byName := map[string]time.Duration{}
	for p, now := range u.of {
		spent := now - earlier.of[p]
		subject += spent
		byName[p.name] += spent
	}
	made := shares{used: float64(used) / float64(lasted), subject: min(1, float64(subject)/float64(used))}
	for _, name := range subjectPrograms {
		if byName[name] > most {
			most, made.busiest = byName[name], name
		}
	}
	return made
}

// usage reads the processor time that was used so far. What cannot be read counts as unused.
func (m Meter) usage() usage {
	u := usage{at: time.Now(), used: m.used(), of: map[process]time.Duration{}}
	entries, err := os.ReadDir(m.Proc)
	if err != nil {
		return u
	}
	for _, entry := range entries {
		if name := entry.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		if stat, ok := m.stat(entry.Name()); ok && slices.Contains(subjectPrograms, stat.name) && m.inGroup(entry.Name()) {
			u.of[process{pid: entry.Name(), started: stat.started, name: stat.name}] = stat.used
		}
	}
	return u
}

// inGroup reports whether a process is in the meter's group, or in a group below it.
func (m Meter) inGroup(pid string) bool {
	if m.Group == "" {
		return true
	}
	content, err := os.ReadFile(filepath.Join(m.Proc, pid, "cgroup"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		// hierarchy-id:controllers:path (cgroups(7)).
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (fields[2] == m.Group || strings.HasPrefix(fields[2], m.Group+"/")) {
			return true
		}
	}
	return false
}

// used reads the processor time that the clusters have used, or the whole machine where that is not known.
func (m Meter) used() time.Duration {
	if m.Clusters != nil {
		if used, err := m.Clusters(); err == nil {
			return used
		}
	}
	content, err := os.ReadFile(filepath.Join(m.Proc, "stat"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(content), "\n")
	total := 0
	// user nice system idle iowait irq softirq: idle and iowait are nobody's (proc_stat(5)).
	for i, field := range strings.Fields(strings.TrimPrefix(line, "cpu ")) {
		if n, err := strconv.Atoi(field); err == nil && i < 7 && i != 3 && i != 4 {
			total += n
		}
	}
	return time.Duration(total) * time.Second / tickRate
}

// processStat is what the meter needs of a process' or thread's stat file (proc_pid_stat(5)).
type processStat struct {
	name, state, started string
	used                 time.Duration
}

func (m Meter) stat(id string) (processStat, bool) {
	content, err := os.ReadFile(filepath.Join(m.Proc, id, "stat"))
	if err != nil {
		return processStat{}, false
	}
	// The name stands in parentheses and may hold any character, parentheses included.
	text := string(content)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return processStat{}, false
	}
	fields := strings.Fields(text[end+1:])
	const state, utime, stime, started = 0, 11, 12, 19
	if len(fields) <= started {
		return processStat{}, false
	}
	user, _ := strconv.Atoi(fields[utime])
	system, _ := strconv.Atoi(fields[stime])
	return processStat{
		name: text[open+1 : end], state: fields[state], started: fields[started],
		used: time.Duration(user+system) * time.Second / tickRate,
	}, true
}
