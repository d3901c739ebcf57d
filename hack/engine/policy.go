package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// policyPath is where Debian's package scripts ask whether they may start a service.
const policyPath = "/usr/sbin/policy-rc.d"

// policyScript forbids it. Its second line tells it from anybody else's.
const policyScript = `#!/bin/sh
# mesh-conformance: its private container engine is no service; removed after the installation.
exit 101
`

// servicePolicy forbids that installing packages starts services, for a while.
type servicePolicy struct{ path string }

// saved is where the machine's own policy waits.
func (p servicePolicy) saved() string { return p.path + ".mesh-conformance-saved" }

// forbid puts the policy in place, in one step: there is never a moment without one.
func (p servicePolicy) forbid() error {
	if !p.isOurs() {
		if err := os.Remove(p.saved()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the machine's service policy aside: %w", err)
		}
		if err := os.Link(p.path, p.saved()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the machine's service policy aside: %w", err)
		}
	}
	next := p.path + ".mesh-conformance-new"
	if err := os.WriteFile(next, []byte(policyScript), 0o755); err != nil {
		return fmt.Errorf("forbid that packages start services: %w", err)
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return fmt.Errorf("forbid that packages start services: %w", err)
	}
	if err := os.Rename(next, p.path); err != nil {
		return fmt.Errorf("forbid that packages start services: %w", err)
	}
	return nil
}

// restore puts the machine's own policy back, also after an installation that was killed.
// Where the policy is not ours, it does nothing.
func (p servicePolicy) restore() error {
	if !p.isOurs() {
		return nil
	}
	err := os.Rename(p.saved(), p.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(p.path)
	}
	if err != nil {
		return fmt.Errorf("restore the machine's service policy: %w", err)
	}
	return nil
}

func (p servicePolicy) isOurs() bool {
	text, err := os.ReadFile(p.path)
	return err == nil && bytes.Equal(text, []byte(policyScript))
}

// serviceFolders hold the links that make a service start with the machine: systemd's, and
// those of the runlevels before it.
var serviceFolders = []string{"/etc/systemd/system/*.wants", "/etc/rc[2-5].d"}

// startedWithMachine are the links of the packages' services.
func startedWithMachine(folders []string) []string {
	var links []string
	for _, folder := range folders {
		for _, service := range []string{"docker.service", "docker.socket", "containerd.service", "S[0-9][0-9]docker"} {
			// The patterns are constants and well formed.
			found, _ := filepath.Glob(filepath.Join(folder, service))
			links = append(links, found...)
		}
	}
	return links
}

// disableSince removes the links that an installation added: what it installs is for the
// private engine, not for the machine.
func disableSince(before, folders []string) error {
	for _, link := range startedWithMachine(folders) {
		if slices.Contains(before, link) {
			continue
		}
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("keep a service from starting with the machine: %w", err)
		}
	}
	return nil
}
