package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// amendment is a piece of a module's source that an instrument is built with another in place of. The subject is never amended.
type amendment struct {
	module string
	// file is below the module's root.
	file string
	// from stands in the file once.
	from, to string
}

// amend makes a scratch copy of the pins in modDir, with the source of every package that their tools need, amended, in its
// folder vendor.
func (b *Builder) amend(ctx context.Context, log io.Writer, modDir string, amended []amendment) (string, error) {
	dir, err := os.MkdirTemp(b.store.scratch(), "amended-")
	if err != nil {
		return "", err
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		if err := copyTree(filepath.Join(b.options.Repository, modDir, file), filepath.Join(dir, file)); err != nil {
			return "", err
		}
	}
	cmd := command(ctx, log, "go", "mod", "vendor")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if err := runGo(cmd); err != nil {
		return "", err
	}
	for _, one := range amended {
		path := filepath.Join(dir, "vendor", filepath.FromSlash(one.module), filepath.FromSlash(one.file))
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text, err := one.apply(string(content))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// apply gives the amended text; a text that does not have the piece once is another than the one that was meant.
func (a amendment) apply(text string) (string, error) {
	if count := strings.Count(text, a.from); count != 1 {
		return "", fmt.Errorf("%s of %s has %q %d times, not once", a.file, a.module, a.from, count)
	}
	return strings.Replace(text, a.from, a.to, 1), nil
}
