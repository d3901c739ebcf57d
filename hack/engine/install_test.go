package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/apt"
)

func TestIsDebian(t *testing.T) {
	cases := map[string]struct {
		release string
		want    bool
	}{
		"Debian":     {"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n", true},
		"Ubuntu":     {"ID=ubuntu\nID_LIKE=debian\n", true},
		"Mint":       {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", true},
		"Fedora":     {"ID=fedora\nHOME_URL=\"https://example.org/debian\"\n", false},
		"no release": {"", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isDebian(c.release); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestPackagesOf(t *testing.T) {
	cases := map[string]struct {
		missing []program
		split   bool
		want    []string
	}{
		"all, client included": {needed, false, []string{"docker.io", "containerd", "runc", "iptables", "iproute2"}},
		"all, client apart":    {needed, true, []string{"docker.io", "docker-cli", "containerd", "runc", "iptables", "iproute2"}},
		"one":                  {needed[4:5], true, []string{"iptables"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := packagesOf(c.missing, c.split); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAptsFailureIsOneClearLine(t *testing.T) {
	said := "Reading package lists...\nE: Unable to locate package docker.io\nE: Unable to locate package docker.io\nE: b\nE: c\n"
	failed := errors.New("exit status 100")
	cases := map[string]struct {
		apt  aptRunner
		want string
	}{
		"its own complaint": {aptRunner{}, "cannot install the container engine (apt-get): exit status 100: Unable to locate package docker.io | b;"},
		"an unreachable source": {aptRunner{unreachable: apt.Lines("W: x\nW: Failed to fetch http://s Could not connect\n", "W: Failed to fetch ")},
			"the system's package source is unreachable (apt-get): exit status 100: http://s Could not connect;"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.apt.problem(t.Context(), failed, said).Error(); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want one with %q", got, c.want)
			}
		})
	}
}

func TestServicePolicy(t *testing.T) {
	const own = "#!/bin/sh\nexit 0\n"
	cases := map[string]struct {
		before string // empty: none
		killed bool   // an installation was killed in between
	}{
		"no policy":              {},
		"a policy":               {before: own},
		"no policy, then a kill": {killed: true},
		"a policy, then a kill":  {before: own, killed: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			policy := servicePolicy{path: filepath.Join(t.TempDir(), "policy-rc.d")}
			if c.before != "" {
				if err := os.WriteFile(policy.path, []byte(c.before), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time after a kill
				if err := policy.forbid(); err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(policy.path); err != nil || info.Mode().Perm() != 0o755 || !policy.isOurs() {
					t.Fatalf("while forbidden: %v, %v", info, err)
				}
				if !c.killed {
					break
				}
			}
			for range 2 { // restoring twice restores once
				if err := policy.restore(); err != nil {
					t.Fatal(err)
				}
			}
			after, err := os.ReadFile(policy.path)
			if string(after) != c.before || (c.before == "") != errors.Is(err, os.ErrNotExist) {
				t.Errorf("after: %q, %v; want %q", after, err, c.before)
			}
			if left, err := filepath.Glob(policy.path + ".*"); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

func TestDisableSinceKeepsWhatWasEnabledBefore(t *testing.T) {
	folder := t.TempDir()
	enable := func(unit string) {
		if err := os.Symlink("/lib/systemd/system/"+unit, filepath.Join(folder, unit)); err != nil {
			t.Fatal(err)
		}
	}
	enable("containerd.service")
	enable("ssh.service")
	before := startedWithMachine([]string{folder})
	enable("docker.service")
	enable("docker.socket")
	enable("S20docker")
	if err := disableSince(before, []string{folder}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if want := []string{"containerd.service", "ssh.service"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
