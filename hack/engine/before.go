package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const ipForward = "/proc/sys/net/ipv4/ip_forward"

// byproducts are what a daemon makes outside of its folders, folders after what is in them.
var byproducts = []string{"/etc/docker/key.json", "/etc/docker", "/run/docker/plugins", "/run/docker", "/run/containerd/s", "/run/containerd"}

// before is how the machine was when the engine first started, for Stop to restore. It
// lies in the run directory: another start of the machine makes it void.
type before struct {
	IPForward string `json:"ipForward"`
	// Watchers is the limit of inotify instances, where the engine has raised it.
	Watchers string                  `json:"watchers,omitempty"`
	Filters  map[string]filterBefore `json:"filters"`
	// Absent are the byproducts that were not there.
	Absent []string `json:"absent"`
}

type filterBefore struct {
	Chains  []string `json:"chains"`
	Forward string   `json:"forward"`
}

// recordBefore writes down how the machine is, once: after a crash it would be as the dead
// engine left it.
func recordBefore(at layout) error {
	if _, err := os.Stat(at.beforeFile()); err == nil {
		return nil
	}
	// Reading the rules must not end half-way through an interrupt: it takes milliseconds.
	ctx := context.Background()
	found := before{Filters: map[string]filterBefore{}}
	forwarding, err := os.ReadFile(ipForward)
	if err != nil {
		return fmt.Errorf("read whether the machine forwards packets: %w", err)
	}
	found.IPForward = strings.TrimSpace(string(forwarding))
	for _, filter := range packetFilters {
		saved, err := saveRules(ctx, filter)
		if err != nil {
			return err
		}
		chains, forward := chainsOf(saved)
		if forward == "" {
			// A table nobody has touched is not printed; this is the kernel's own policy.
			forward = "ACCEPT"
		}
		found.Filters[filter] = filterBefore{Chains: chains, Forward: forward}
	}
	for _, path := range byproducts {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			found.Absent = append(found.Absent, path)
		}
	}
	return found.write(at)
}

func (b before) write(at layout) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("write down how the machine is: %w", err)
	}
	if err := os.WriteFile(at.beforeFile(), text, 0o600); err != nil {
		return fmt.Errorf("write down how the machine is: %w", err)
	}
	return nil
}

// readBefore gives what was written down, and whether anything was.
func readBefore(at layout) (before, bool) {
	var found before
	text, err := os.ReadFile(at.beforeFile())
	if err != nil || json.Unmarshal(text, &found) != nil {
		return before{}, false
	}
	return found, true
}

// traceOf is what tells this engine's rules in one packet filter from others.
func (b before) traceOf(at layout, filter string, bridges []string, shared bool) trace {
	of := trace{bridges: bridges, shared: shared, chains: b.Filters[filter].Chains, forward: b.Filters[filter].Forward}
	if filter == "iptables" {
		of.pool = at.lastPool()
	}
	return of
}

// restoreForwarding switches the forwarding of packets off again where the engine switched it on.
func (b before) restoreForwarding() error {
	if b.IPForward != "0" {
		return nil
	}
	if err := os.WriteFile(ipForward, []byte("0\n"), 0o644); err != nil {
		return fmt.Errorf("switch forwarding of packets off again: %w", err)
	}
	return nil
}

// removeByproducts removes what the daemon made outside of its folders. A folder that by now
// holds something of somebody else's stays.
func (b before) removeByproducts() {
	for _, path := range b.Absent {
		_ = os.Remove(path)
	}
}
