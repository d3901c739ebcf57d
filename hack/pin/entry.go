package pin

import (
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/mod/semver"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// insert adds an entry to a section of the pins, in the order of versions, and leaves every other line as it is. entry
// is the entry's lines without the section's indentation. The result is checked: it parses, and what was pinned before
// is unchanged.
func insert(content []byte, section, key string, entry []string) ([]byte, error) {
	lines := strings.Split(string(content), "\n")
	start := -1
	for i, line := range lines {
		if line == section+":" {
			start = i + 1
		}
	}
	if start < 0 {
		return nil, problem.Usage("there is no section "+section, versionsFile, "correct the file")
	}
	// at is where the entry goes: before the comment of the first later version, or behind the section's last entry.
	at := start
	for i := start; i < len(lines); i++ {
		line := lines[i]
		if line != "" && !strings.HasPrefix(line, " ") {
			break
		}
		name, isKey := entryKey(line)
		if isKey && semver.Compare("v"+name, "v"+key) > 0 {
			break
		}
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "  #") {
			at = i + 1
		}
	}
	indented := make([]string, len(entry))
	for i, line := range entry {
		indented[i] = "  " + line
	}
	result := append(append(append([]string{}, lines[:at]...), indented...), lines[at:]...)
	added := []byte(strings.Join(result, "\n"))
	return added, unchanged(content, added, section, key)
}

// entryKey is the key of an entry's first line, two spaces deep.
func entryKey(line string) (key string, ok bool) {
	if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "   ") || strings.HasPrefix(line, "  #") {
		return "", false
	}
	key, _, ok = strings.Cut(strings.TrimSpace(line), ":")
	return strings.Trim(key, `"`), ok
}

// unchanged checks that the new pins are the old ones and one entry.
func unchanged(before, after []byte, section, key string) error {
	old, err := kindconfig.Parse(before)
	if err != nil {
		return err
	}
	now, err := kindconfig.Parse(after)
	if err != nil {
		return err
	}
	switch section {
	case "istio":
		_, added := now.Istio[key]
		delete(now.Istio, key)
		if added && reflect.DeepEqual(old, now) {
			return nil
		}
	case "kubernetes":
		_, added := now.Kubernetes[key]
		delete(now.Kubernetes, key)
		if added && reflect.DeepEqual(old, now) {
			return nil
		}
	}
	return problem.Usage(fmt.Sprintf("cannot add %s to the section %s without changing other pins", key, section), versionsFile, "add the entry by hand")
}
