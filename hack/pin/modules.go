package pin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"mesh-conformance/hack/problem"
)

// module is what go mod download says of a module.
type module struct {
	Path, Version, Dir, GoMod, Error string
}

// refusal is an answer of the module source: it was reached and has no such module.
var refusal = regexp.MustCompile(`(?m)^.*(reading https?://\S+: 4\d\d .*|unknown revision.*|no matching versions.*|invalid version: .*unknown.*)$`)

// trouble is a module source that was not reached, or that failed.
var trouble = regexp.MustCompile(`(?m)^.*(Get "https?://|reading https?://|module lookup disabled|dial tcp|no such host|connection refused|` +
	`connection reset by peer|i/o timeout|TLS handshake timeout|network is unreachable|zip: not a valid zip file).*$`)

// unverified is the complaint of the go command about a module that the checksum database does not hold.
var unverified = regexp.MustCompile(`verifying (module|go\.mod): .*(reading https?://\S*/lookup/|checksum database)`)

// failure is the one line about a go command that failed: a module that does not exist is an error of usage, a
// source that cannot be reached one of the environment. It returns nil for a nil error.
func failure(ctx context.Context, what, said string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if complaint := trouble.FindString(said); complaint != "" && !refusal.MatchString(complaint) {
		return problem.Environment("the Go module source cannot be reached", strings.TrimSpace(complaint), "check the network and run again", nil)
	}
	if complaint := refusal.FindString(said); complaint != "" {
		return problem.Usage(what+" cannot be had", strings.TrimSpace(complaint), "choose a version that the Go module source has")
	}
	return problem.Environment(what+" cannot be pinned", lastLine(said), "", err)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// download fetches one module into the module cache. The environment it returns is what further go commands about the
// module need: a module that the checksum database does not hold is taken on first use, and a line says so.
func (p Pinner) download(ctx context.Context, what, path, version string) (m module, env []string, err error) {
	dir, err := os.MkdirTemp("", "mesh-conformance-pin-")
	if err != nil {
		return m, nil, problem.Environment("cannot make a temporary folder", os.TempDir(), "", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	query := func(env []string) (string, error) {
		out, said, err := p.Go(ctx, dir, append(env, "GOFLAGS=-mod=mod"), "mod", "download", "-json", path+"@"+version)
		m = module{}
		if jsonErr := json.Unmarshal([]byte(out), &m); jsonErr != nil && err == nil {
			err = fmt.Errorf("go mod download printed no JSON: %w", jsonErr)
		}
		return said + "\n" + m.Error, err
	}
	said, err := query(nil)
	if err != nil && unverified.MatchString(said) && !strings.Contains(said, "SECURITY ERROR") {
		env = []string{"GONOSUMDB=" + path}
		p.Say("%s: the checksum database does not hold %s %s, so go.sum gets the hash of what the module source has now", what, path, version)
		said, err = query(env)
	}
	return m, env, failure(ctx, what, said, err)
}

// available returns which of several module versions, path@version, the module source has.
func (p Pinner) available(ctx context.Context, what string, asked []string) (map[string]bool, error) {
	dir, err := os.MkdirTemp("", "mesh-conformance-pin-")
	if err != nil {
		return nil, problem.Environment("cannot make a temporary folder", os.TempDir(), "", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out, said, err := p.Go(ctx, dir, []string{"GOFLAGS=-mod=mod"}, append([]string{"list", "-m", "-e", "-json=Path,Version,Error"}, asked...)...)
	if err != nil {
		return nil, failure(ctx, what, said, err)
	}
	has := map[string]bool{}
	for decoder := json.NewDecoder(strings.NewReader(out)); decoder.More(); {
		var m struct {
			Path, Version string
			Error         *struct{ Err string }
		}
		if err := decoder.Decode(&m); err != nil {
			return nil, fmt.Errorf("go list printed no JSON: %w", err)
		}
		if m.Error != nil {
			if refused := failure(ctx, what, m.Error.Err, fmt.Errorf("%s", m.Error.Err)); problem.ExitCode(refused) != problem.ExitUsage {
				return nil, refused
			}
			continue
		}
		has[m.Path+"@"+m.Version] = true
	}
	return has, nil
}
