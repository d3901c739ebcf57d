package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sebdah/goldie/v2"

	"mesh-conformance/hack/problem"
)

func TestConfig(t *testing.T) {
	golden := goldie.New(t, goldie.WithNameSuffix(".golden.json"))
	for name, shim := range map[string]string{"config": "", "config-with-shim": "/home/engine/bin/capshim"} {
		t.Run(name, func(t *testing.T) {
			config := configOf(layoutOf("/home/engine"), settings{pool: netip.MustParsePrefix("172.31.0.0/16"), shim: shim, openFiles: 20000})
			text, err := json.MarshalIndent(config, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden.Assert(t, name, text)
		})
	}
}

func TestEnviron(t *testing.T) {
	inherited := []string{"HOME=/root", "PATH=/usr/bin:/home/engine/bin", "DOCKER_HOST=tcp://else", "DOCKER_CONTEXT=else",
		"DOCKER_TLS_VERIFY=1", "DOCKER_CONFIG=/root/.docker"}
	at := layoutOf("/home/engine")
	private := &Engine{Private: true, Host: at.host(), layout: at}
	want := []string{"HOME=/root", "DOCKER_CONFIG=/root/.docker", "PATH=/home/engine/bin:/usr/bin", "DOCKER_HOST=" + at.host()}
	if got := private.environ(inherited); !slices.Equal(got, want) {
		t.Errorf("private: got %q, want %q", got, want)
	}
	if got := (&Engine{}).environ(inherited); !slices.Equal(got, inherited) {
		t.Errorf("found: got %q, want what was there", got)
	}
}

func TestTheDaemonInheritsNoSecrets(t *testing.T) {
	got := daemonEnviron([]string{"PATH=/bin", "HTTPS_PROXY=http://proxy", "CLOUD_SECRET=x"})
	want := []string{"HTTPS_PROXY=http://proxy", "PATH=/bin:" + strings.Join(systemFolders, ":")}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastComplaints(t *testing.T) {
	info := `time="2026-01-01T00:00:00Z" level=info msg="API listen on \"x\""` + "\n"
	wrong := func(said string) string {
		return `time="2026-01-01T00:00:00Z" level=error msg=` + strconv.Quote(said) + " module=x\n"
	}
	cases := map[string]struct{ log, want string }{
		"nothing":             {"", "its log is empty"},
		"no complaint":        {info, `its log complains of nothing and ends with: API listen on "x"`},
		"one":                 {wrong("no \"room\"") + info, `no "room"`},
		"the last three":      {wrong("a") + wrong("b") + info + wrong("c") + wrong("d"), "b | c | d"},
		"not one of long ago": {wrong("a") + strings.Repeat(info, tailLines), `its log complains of nothing and ends with: API listen on "x"`},
		"one without a level": {info + "failed to start daemon: Devices cgroup isn't mounted\n", "failed to start daemon: Devices cgroup isn't mounted"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := lastComplaints(c.log); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	t.Run("tells of a private engine that is gone", func(t *testing.T) {
		at := layoutOf(t.TempDir())
		if err := os.WriteFile(at.log(), []byte(`level=fatal msg="no space left on device"`+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		watched := (&Engine{Private: true, Host: at.host(), layout: at}).Watch(t.Context(), nil)
		err := <-watched
		if problem.ExitCode(err) != problem.ExitEnvironment || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("got %v", err)
		}
		if _, open := <-watched; open {
			t.Error("a second error follows")
		}
	})
	t.Run("says nothing when the run ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		watched := (&Engine{client: "/bin/true"}).Watch(ctx, nil)
		cancel()
		if err, open := <-watched; open {
			t.Errorf("got %v", err)
		}
	})
}

func TestLockIsForOne(t *testing.T) {
	at := layoutOf(filepath.Join(t.TempDir(), "made", "by", "lock"))
	first, err := at.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := at.lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second got %v, want to wait", err)
	}
	first.release()
	second, err := at.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.release()
}

func TestMountPoints(t *testing.T) {
	folders := []string{"/run/mesh", "/home dir/data"}
	cases := map[string]struct {
		line  string
		point string
		below bool
	}{
		"inside":      {"40 1 0:5 / /run/mesh/exec/netns/x rw - nsfs nsfs rw", "/run/mesh/exec/netns/x", true},
		"itself":      {`41 1 0:5 / /home\040dir/data rw - ext4 /dev/x rw`, "/home dir/data", true},
		"a neighbour": {"42 1 0:5 / /run/meshes rw - tmpfs tmpfs rw", "/run/meshes", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			point, found := mountPoint(c.line)
			if !found || point != c.point || isBelow(point, folders) != c.below {
				t.Errorf("got %q, %t, below %t", point, found, isBelow(point, folders))
			}
		})
	}
	if _, found := mountPoint("40 1"); found {
		t.Error("half a line has a mount point")
	}
}

func TestKillGroupsKillsWhatIsInThem(t *testing.T) {
	root := t.TempDir()
	at := layoutOf("/home")
	inner := filepath.Join(root, "pids"+at.cgroup(), "container")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	sleep := exec.Command("sleep", "600")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	procs := filepath.Join(inner, "cgroup.procs")
	if err := os.WriteFile(procs, []byte(strconv.Itoa(sleep.Process.Pid)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	groups := at.cgroups(root)
	if err := killGroups(groups); err == nil {
		t.Error("a group with a process counts as empty")
	}
	var ended *exec.ExitError
	if err := sleep.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v, want killed", err)
	}
	if err := os.Remove(procs); err != nil {
		t.Fatal(err)
	}
	if err := killGroups(groups); err != nil {
		t.Error(err)
	}
	if err := removeGroups(groups); err != nil {
		t.Error(err)
	}
	if left := at.cgroups(root); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
