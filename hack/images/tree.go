package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// treeMains are the main packages of a source tree of Istio that a subject consists of.
var treeMains = []string{
	"./cni/cmd/install-cni", "./cni/cmd/istio-cni", "./istioctl/cmd/istioctl", "./pilot/cmd/pilot-agent", "./pilot/cmd/pilot-discovery",
}

const sourceFlag = "--istio-source"

// locateSource checks a source tree and finds its digest, its version and its base.
func locateSource(versions *kindconfig.Versions, subject kindconfig.Subject) (kindconfig.Subject, error) {
	dir := subject.Asked.Source
	if err := checkTree(dir); err != nil {
		return subject, err
	}
	base, by, err := baseOf(dir, subject.Asked.Base)
	if err != nil {
		return subject, err
	}
	subject.Asked.Base = base
	sum, err := treeDigest(dir)
	if err != nil {
		return subject, err
	}
	if asked := subject.Asked.Digests[kindconfig.PartSource]; asked != "" && asked != sum {
		return subject, changed(kindconfig.PartSource, dir, asked, sum)
	}
	subject.Base = subject.Asked.Base
	placed, err := subject.Placed()
	if err != nil {
		return subject, problem.Usage(err.Error(), "--base", "name a release like 1.20 or 1.20.3")
	}
	if !kindconfig.IsRelease(base) {
		subject.Placement = fmt.Sprintf("placed at %s by %s", placed, by)
		if subject.Asked.Name == "" {
			subject.Name += " (" + subject.Placement + ")"
		}
	}
	subject, err = versions.Located(subject, fmt.Sprintf("%s-source-%s", placed, abridged(sum)))
	subject.Parts = []kindconfig.Part{{Name: kindconfig.PartSource, Origin: kindconfig.OriginSource, From: dir, Digest: sum}}
	return subject, err
}

// abridged is the beginning of a digest, which tells builds of a tree apart.
func abridged(digest string) string {
	_, sum, _ := strings.Cut(digest, ":")
	return sum[:8]
}

// changed returns the usage error for a part whose digest differs from the subject file's.
func changed(part, from, asked, found string) error {
	return problem.Usage(fmt.Sprintf("%s is %s, and the subject file names %s", part, found, asked), from,
		"use what the file was written for, or take the digest out of it")
}

// checkTree rejects a folder that is no source tree of Istio.
func checkTree(dir string) error {
	const do = "name a checkout of istio/istio or a folder of its module"
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.Usage("the source has no go.mod", sourceFlag+" "+dir, do)
	case err != nil:
		return problem.Usage("cannot read the source: "+err.Error(), sourceFlag, do)
	}
	if module := modfile.ModulePath(content); module != istioModule {
		return problem.Usage(fmt.Sprintf("go.mod declares module %q, not %s", module, istioModule), sourceFlag+" "+dir, do)
	}
	for _, path := range append(append([]string{}, treeMains...), bootstrapPaths...) {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
			return problem.Usage("the source lacks "+strings.TrimPrefix(path, "./"), sourceFlag+" "+dir, do+" that is whole")
		}
	}
	return checkManifests(filepath.Join(dir, manifestsPath), sourceFlag)
}

// checkCharts rejects a folder that istioctl's flag --manifests would not take.
func checkCharts(dir string) error { return checkManifests(dir, "--charts") }

// chartPaths are what a folder of charts and profiles has to have.
var chartPaths = []string{"charts/base/Chart.yaml", "charts/istio-control/istio-discovery/Chart.yaml", "profiles/default.yaml"}

func checkManifests(dir, flag string) error {
	for _, path := range chartPaths {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
			return problem.Usage("the folder of charts lacks "+path,
				flag+" "+dir, "name the folder manifests of an Istio release")
		}
	}
	return nil
}

// baseOf returns the release that a source tree is of, for example 1.20, and what says so: the file VERSION, or --base
// (asked) where that names the same minor version more closely, or where VERSION names no release.
func baseOf(dir, asked string) (base, by string, err error) {
	const do = "say with --base which release it is to be taken for, for example --base 1.20"
	content, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	stated := strings.TrimSpace(string(content))
	switch {
	case err == nil && kindconfig.IsBase(stated):
	case asked != "":
		return asked, "--base", nil
	case err != nil:
		return "", "", problem.Usage("the source has no file VERSION", sourceFlag+" "+dir, do)
	default:
		return "", "", problem.Usage(fmt.Sprintf("the source's file VERSION says %q, which is no release", stated),
			sourceFlag+" "+dir, do)
	}
	if kindconfig.Minor(asked) != kindconfig.Minor(stated) && asked != "" {
		return "", "", problem.Usage(
			fmt.Sprintf("the source's file VERSION says %s, which is no build of %s", stated, asked), "--base",
			"name "+kindconfig.Minor(stated)+" or one of its releases, or leave it out")
	}
	if kindconfig.IsRelease(asked) {
		return asked, "--base", nil
	}
	return stated, "VERSION", nil
}

// treePrograms is the artifact of the programs that a source tree of a digest has, stamped with a version. The tree is
// not written to: go.mod and go.sum are completed in a copy.
func (b *Builder) treePrograms(dir, digest, version string) *artifact {
	stamp := istioStamp(version)
	return &artifact{
		name: "istio-source", inputs: []string{b.goVersion, b.goarch, strings.Join(stamp, " "), digest}, expect: 4 * time.Minute,
		build: func(ctx context.Context, out string, log io.Writer) error {
			mod, err := b.treePins(ctx, log, dir)
			if err != nil {
				return err
			}
			args := append([]string{
				"-modfile=" + mod, "-mod=mod", "-ldflags", strings.Join(append([]string{"-s", "-w"}, stamp...), " "),
				"-o", out + string(filepath.Separator),
			}, treeMains...)
			if err := errors.Join(b.goBuild(ctx, dir, log, args...), os.RemoveAll(filepath.Dir(mod))); err != nil {
				return err
			}
			// What was built is what the key says, or it is not kept.
			return unchangedTree(dir, digest)
		},
	}
}

func unchangedTree(dir, digest string) error {
	now, err := treeDigest(dir)
	if err != nil {
		return err
	}
	if now != digest {
		return problem.Environment("the source tree was changed while it was built", dir, "run again", nil)
	}
	return nil
}

// treePins copies go.mod and go.sum of a source tree to a folder of their own, and returns the path of the former. A
// module of Istio's that cannot be had in the version that the tree names, because it was never released, is replaced by
// its next release.
func (b *Builder) treePins(ctx context.Context, log io.Writer, dir string) (string, error) {
	pins, err := os.MkdirTemp(b.store.scratch(), "tree-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(pins, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyTree(filepath.Join(dir, name), filepath.Join(pins, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	file, err := parseTreeMod(dir, content)
	if err != nil {
		return "", err
	}
	for _, local := range localReplaces(dir, file) {
		if err := file.AddReplace(local.from.Path, local.from.Version, local.dir, ""); err != nil {
			return "", err
		}
	}
	if err := b.replaceUnreleased(ctx, log, dir, path, file); err != nil {
		return "", err
	}
	return path, nil
}

// siblings are the modules that Istio names by versions between releases.
var siblings = []string{"istio.io/api", "istio.io/client-go"}

func (b *Builder) replaceUnreleased(ctx context.Context, log io.Writer, dir, path string, file *modfile.File) error {
	replaced := map[string]bool{}
	for _, r := range file.Replace {
		replaced[r.Old.Path] = true
	}
	for _, require := range file.Require {
		module, version := require.Mod.Path, require.Mod.Version
		if replaced[module] || !isSibling(module) || downloads(ctx, dir, path, module+"@"+version) == nil {
			continue
		}
		released, is := nextRelease(version)
		if !is {
			continue
		}
		_, _ = fmt.Fprintf(log, "Go cannot download %s %s; the build uses %s instead\n", module, version, released)
		if err := file.AddReplace(module, "", module, released); err != nil {
			return err
		}
	}
	content, err := file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func isSibling(module string) bool {
	for _, sibling := range siblings {
		if sibling == module {
			return true
		}
	}
	return false
}

// beforeRelease splits a version of before a release from it: v1.20.1-0.20231207143627-8237149662d6, v1.20.0-rc.0.
var beforeRelease = regexp.MustCompile(`^(v[0-9]+\.[0-9]+\.[0-9]+)-`)

// nextRelease is the release that a version between releases leads to.
func nextRelease(version string) (string, bool) {
	found := beforeRelease.FindStringSubmatch(version)
	if found == nil {
		return "", false
	}
	return found[1], true
}

// downloads reports why a version of a module cannot be had, or nil.
func downloads(ctx context.Context, dir, modfile, query string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "-modfile="+modfile, query)
	ownGroup(cmd)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	if err == nil {
		return nil
	}
	var said struct {
		Error string
	}
	if json.Unmarshal(out, &said) == nil && said.Error != "" {
		return errors.New(said.Error)
	}
	return err
}

// fromTree is the artifact of files of a source tree of a digest; their base names are kept.
func fromTree(name, dir, digest string, paths ...string) *artifact {
	return &artifact{
		name: name, inputs: append([]string{digest}, paths...), expect: time.Second,
		build: func(_ context.Context, out string, _ io.Writer) error {
			for _, path := range paths {
				if err := copyTree(filepath.Join(dir, filepath.FromSlash(path)), filepath.Join(out, filepath.Base(path))); err != nil {
					return fmt.Errorf("copy %s of %s: %w", path, dir, err)
				}
			}
			return unchangedTree(dir, digest)
		},
	}
}
