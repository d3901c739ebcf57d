package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeProc is a proc file system with the given command lines; the first pid is 100.
func fakeProc(t *testing.T, network string, commands ...[]string) string {
	t.Helper()
	proc := t.TempDir()
	write := func(pid, network string, arguments []string) {
		folder := filepath.Join(proc, pid)
		if err := os.MkdirAll(filepath.Join(folder, "ns"), 0o755); err != nil {
			t.Fatal(err)
		}
		text := ""
		if len(arguments) > 0 {
			text = strings.Join(arguments, "\x00") + "\x00"
		}
		if err := os.WriteFile(filepath.Join(folder, "cmdline"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("net:["+network+"]", filepath.Join(folder, "ns", "net")); err != nil {
			t.Fatal(err)
		}
	}
	write("self", "1", []string{"test"})
	for i, arguments := range commands {
		write(string(rune('1'+i))+"00", network, arguments)
	}
	return proc
}

func TestProcesses(t *testing.T) {
	at := layoutOf("/home")
	config, socket := at.config(), at.exec()+"/containerd/containerd.sock"
	proc := fakeProc(t, "1",
		[]string{"/usr/sbin/dockerd", "--config-file", config},
		[]string{"dockerd", "--config-file=" + config},
		[]string{"dockerd", "--config-file", layoutOf("/other").config()},
		[]string{"vi", config},
		nil, // dead and not yet buried
		[]string{"/usr/bin/containerd-shim-runc-v2", "-id", "x", "-address", socket},
		[]string{"containerd", "--config", "/etc/containerd/config.toml"},
		[]string{"dockerd", "--config-file", config + "/../../x", "about" + config},
	)
	if got, want := at.processes(proc, daemonPrograms), []int{100, 200, 800}; !slices.Equal(got, want) {
		t.Errorf("daemons %v, want %v", got, want)
	}
	if got, want := at.processes(proc, helperPrograms), []int{600}; !slices.Equal(got, want) {
		t.Errorf("helpers %v, want %v", got, want)
	}
}

func TestAPidThatIsAnotherProgramsByNowIsNotTheDaemon(t *testing.T) {
	at := layoutOf(t.TempDir())
	own := os.Getpid()
	if err := at.stillRuns(own); err == nil {
		t.Errorf("process %d, which is this test, passes for the daemon", own)
	}
	// It would end this test.
	at.signal(own, daemonPrograms, 9)
}

func TestOtherDaemons(t *testing.T) {
	at := layoutOf("/home")
	mine := []string{"dockerd", "--config-file", at.config()}
	theirs := []string{"/usr/bin/dockerd", "-H", "fd://"}
	cases := map[string]struct {
		proc string
		want bool
	}{
		"none":                           {fakeProc(t, "1", []string{"bash"}), false},
		"only this engine's":             {fakeProc(t, "1", mine), false},
		"the system's":                   {fakeProc(t, "1", mine, theirs), true},
		"one that is dead":               {fakeProc(t, "1", mine, nil), false},
		"one in another network":         {fakeProc(t, "2", theirs), false},
		"unknown counts as there is one": {t.TempDir(), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := at.otherDaemons(c.proc); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestUntil(t *testing.T) {
	tries := 0
	third := func() error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	if err := until(t.Context(), time.Minute, third); err != nil {
		t.Errorf("what holds at the third look: %v", err)
	}
	never := errors.New("never")
	if err := until(t.Context(), time.Millisecond, func() error { return never }); !errors.Is(err, never) {
		t.Errorf("got %v, want what the condition last said", err)
	}
}
