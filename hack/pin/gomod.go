package pin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"mesh-conformance/hack/problem"
)

// oldestDefault is the oldest Go whose run-time behaviour a go.mod can ask for.
const oldestDefault = "1.21"

// oldest are modules that do not compile with today's Go in an older version, with the reason.
var oldest = map[string]struct{ version, why string }{
	"golang.org/x/net": {"v0.4.0", "Go 1.23 and later do not link an older one (recvmsg by linkname)."},
}

// component is a folder below hack/build.
type component struct {
	name, version string
	// path and moduleVersion are those of the module that has the main packages.
	path, moduleVersion string
	tools               []string
	// goVersion is the module's own, for example 1.21.
	goVersion string
	replaces  []replacement
}

// replacement puts another version of a module, or another module, in its place.
type replacement struct{ from, to, version string }

// text is the go.mod before go mod tidy; goLine is the project's own Go version, for example 1.26.0.
func (c component) text(goLine string) ([]byte, error) {
	behaviour := oldestDefault
	if semver.Compare("v"+c.goVersion, "v"+oldestDefault) > 0 {
		behaviour = strings.Join(strings.SplitN(c.goVersion, ".", 3)[:2], ".")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module mesh-conformance/build/%s-%s\n\ngo %s\n\n", c.name, c.version, goLine)
	fmt.Fprintf(&b, "// The release was built with Go of its time: keep the run-time behaviour it shipped with.\ngodebug default=go%s\n\n", behaviour)
	if len(c.tools) == 1 {
		fmt.Fprintf(&b, "tool %s\n\n", c.tools[0])
	} else {
		b.WriteString("tool (\n")
		for _, tool := range c.tools {
			fmt.Fprintf(&b, "\t%s\n", tool)
		}
		b.WriteString(")\n\n")
	}
	fmt.Fprintf(&b, "require %s %s\n", c.path, c.moduleVersion)
	if len(c.replaces) > 0 {
		b.WriteString("\nreplace (\n")
		for _, r := range c.replaces {
			fmt.Fprintf(&b, "\t%s => %s %s\n", r.from, r.to, r.version)
		}
		b.WriteString(")\n")
	}
	parsed, err := modfile.Parse("go.mod", []byte(b.String()), nil)
	if err != nil {
		return nil, fmt.Errorf("compose the go.mod of %s %s: %w", c.name, c.version, err)
	}
	parsed.Cleanup()
	return parsed.Format()
}

// readModule parses the go.mod of a downloaded module.
func readModule(m module) (*modfile.File, error) {
	text, err := os.ReadFile(m.GoMod)
	if err != nil {
		return nil, fmt.Errorf("read the go.mod of %s %s: %w", m.Path, m.Version, err)
	}
	parsed, err := modfile.Parse(m.GoMod, text, nil)
	if err != nil {
		return nil, fmt.Errorf("parse the go.mod of %s %s: %w", m.Path, m.Version, err)
	}
	return parsed, nil
}

// carried are the replacements of a module's own go.mod, which the go command ignores in a dependency. local maps the
// path of a module that is replaced by a folder of the release's tree to the version that stands for the folder; it
// returns false where none does.
func carried(of *modfile.File, local func(path string) (version string, ok bool)) ([]replacement, error) {
	var replaces []replacement
	for _, r := range of.Replace {
		switch {
		case r.New.Version != "":
			replaces = append(replaces, replacement{from: strings.TrimSpace(r.Old.Path + " " + r.Old.Version), to: r.New.Path, version: r.New.Version})
		default:
			version, ok := local(r.Old.Path)
			if !ok {
				return nil, problem.Usage(fmt.Sprintf("%s replaces %s by the folder %s of its tree", of.Module.Mod.Path, r.Old.Path, r.New.Path), "go.mod",
					"choose a version whose modules are published")
			}
			replaces = append(replaces, replacement{from: r.Old.Path, to: r.Old.Path, version: version})
		}
	}
	return replaces, nil
}

func goVersion(of *modfile.File) string {
	if of.Go == nil {
		return oldestDefault
	}
	return of.Go.Version
}

// raise requires a newer version of modules that are too old to compile; why is empty where none is.
func raise(text []byte) (raised []byte, why string, err error) {
	parsed, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, "", err
	}
	for _, required := range parsed.Require {
		least, known := oldest[required.Mod.Path]
		if !known || semver.Compare(required.Mod.Version, least.version) >= 0 {
			continue
		}
		why = fmt.Sprintf("%s %s is raised to %s. %s", required.Mod.Path, required.Mod.Version, least.version, least.why)
		if err := parsed.AddRequire(required.Mod.Path, least.version); err != nil {
			return nil, "", err
		}
	}
	if why == "" {
		return text, "", nil
	}
	raised, err = parsed.Format()
	return raised, why, err
}

// withMainPackages parts main packages into those that the module's tree has and those that it lacks.
func withMainPackages(m module, paths []string) (has, lacks []string) {
	for _, path := range paths {
		within := strings.TrimPrefix(strings.TrimPrefix(path, m.Path), "/")
		if found, err := filepath.Glob(filepath.Join(m.Dir, filepath.FromSlash(within), "*.go")); err == nil && len(found) > 0 {
			has = append(has, path)
		} else {
			lacks = append(lacks, path)
		}
	}
	return has, lacks
}

// ownGo is the Go version of the checkout's go.mod.
func (p Pinner) ownGo() (string, error) {
	text, err := os.ReadFile(filepath.Join(p.Repository, "go.mod"))
	if err != nil {
		return "", err
	}
	parsed, err := modfile.ParseLax("go.mod", text, nil)
	if err != nil {
		return "", err
	}
	return goVersion(parsed), nil
}
