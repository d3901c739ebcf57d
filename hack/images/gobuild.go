package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// program names one component: a folder hack/build/<name>-<version> whose go.mod lists, as tools, the
// main packages to build and pins every module.
type program struct {
	name    string
	version string
	// ldflags are the -X settings that stamp the version, without the stripping flags.
	ldflags []string
	// amended are lines that the program is built without, or with others in their place.
	amended []amendment
	expect  time.Duration
}

// goProgram is the artifact of a component: one executable per tool of its go.mod.
func (b *Builder) goProgram(p program) (*artifact, error) {
	pins := filepath.Join("hack", "build", p.name+"-"+p.version)
	dir := filepath.Join(b.options.Repository, pins)
	inputs := []string{b.goVersion, b.goarch, strings.Join(p.ldflags, " ")}
	for _, line := range p.amended {
		inputs = append(inputs, line.module, line.file, line.from, line.to)
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, problem.Usage(fmt.Sprintf("no pins to build %s %s from", p.name, p.version), filepath.Join("hack/build", p.name+"-"+p.version, file),
				"add the folder or choose a version that has one")
		}
		inputs = append(inputs, string(content))
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		// -s -w as the releases of Kubernetes and Istio are linked; the modules come from go.sum alone.
		args := []string{"-ldflags", strings.Join(append([]string{"-s", "-w"}, p.ldflags...), " "), "-o", out + string(filepath.Separator), "tool"}
		if len(p.amended) == 0 {
			return b.goBuild(ctx, dir, log, args...)
		}
		amended, err := b.amend(ctx, log, pins, p.amended)
		if err != nil {
			return fmt.Errorf("amend the sources of %s %s: %w", p.name, p.version, err)
		}
		return errors.Join(b.goBuild(ctx, amended, log, append([]string{"-mod=vendor"}, args...)...), os.RemoveAll(amended))
	}
	return &artifact{name: p.name + "-" + p.version, inputs: inputs, expect: p.expect, build: build}, nil
}

// localProgram is the artifact of one of the project's own main packages. Pins are files, besides its
// sources, that decide the product: go.mod and go.sum where it imports modules.
func (b *Builder) localProgram(name, pkg string, pins ...string) (*artifact, error) {
	sources, err := b.sources(pkg, pins...)
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		return b.goBuild(ctx, b.options.Repository, log, "-ldflags", "-s -w", "-o", filepath.Join(out, name), "./"+pkg)
	}
	return &artifact{name: name, inputs: append([]string{b.goVersion, b.goarch}, sources...), expect: 2 * time.Second, build: build}, nil
}

// sources are the contents of the Go files of one of the project's packages and of further files of the
// repository.
func (b *Builder) sources(pkg string, more ...string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(b.options.Repository, filepath.FromSlash(pkg), "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no Go sources in %s: %v", pkg, err)
	}
	for _, file := range more {
		files = append(files, filepath.Join(b.options.Repository, filepath.FromSlash(file)))
	}
	contents := make([]string, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		contents = append(contents, string(content))
	}
	return contents, nil
}

// goBuild runs one `go build` in dir for the node; its module graph must be complete in go.mod and go.sum.
func (b *Builder) goBuild(ctx context.Context, dir string, log io.Writer, args ...string) error {
	return b.goBuildFor(ctx, "linux", b.goarch, dir, log, args...)
}

func (b *Builder) goBuildFor(ctx context.Context, goos, goarch, dir string, log io.Writer, args ...string) error {
	cmd := command(ctx, log, "go", append([]string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOFLAGS=", "GOWORK=off",
		// go cleans up after itself unless it is killed; then the next run does.
		"GOTMPDIR="+b.store.scratch())
	return runGo(cmd)
}

// runGo tells a module source that cannot be reached from a compile error: the first is the
// environment's fault, and running again goes on where it stopped.
func runGo(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(cmd.Stderr, &said)
	err := run(cmd)
	if err == nil {
		return nil
	}
	if complaint, ok := unreachable(said.String()); ok {
		return problem.Environment("the Go module source cannot be reached", complaint, "check the network and run again: what is built is kept", nil)
	}
	verb := cmd.Args[slices.Index(cmd.Args, "go")+1]
	return fmt.Errorf("go %s: %w: %s", verb, err, lastLine(said.String()))
}

// sourceTrouble are the messages of Go's module client: a request that failed, an answer that was no
// module, a resolver or a connection that gave up, or a source that was switched off.
var sourceTrouble = regexp.MustCompile(`(?m)^.*(Get "https?://|reading https?://|module lookup disabled|dial tcp|no such host|connection refused|` +
	`connection reset by peer|i/o timeout|TLS handshake timeout|network is unreachable|zip: not a valid zip file).*$`)

// unreachable finds the line of a build's output that says why a module could not be had.
func unreachable(output string) (complaint string, ok bool) {
	complaint = strings.TrimSpace(sourceTrouble.FindString(output))
	return complaint, complaint != ""
}
