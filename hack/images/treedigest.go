package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"mesh-conformance/hack/problem"
)

// treeDigest is sha256:… of what a source tree is built from: its own content, and that of folders outside of it that
// its go.mod replaces modules by. It leaves out what notBuilt names. Errors are of usage or of the environment.
func treeDigest(dir string) (string, error) {
	own, err := folderDigest(dir, notBuilt)
	if err != nil {
		return "", unreadable(dir, err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", unreadable(dir, err)
	}
	file, err := parseTreeMod(dir, content)
	if err != nil {
		return "", err
	}
	sum, outside := sha256.New(), false
	_, _ = fmt.Fprintf(sum, "tree %s\n", own)
	for _, local := range localReplaces(dir, file) {
		resolved, err := filepath.EvalSymlinks(local.dir)
		if err != nil {
			return "", problem.Usage(
				fmt.Sprintf("go.mod replaces %s by %s, which cannot be read: %v", local.from.Path, local.dir, err),
				sourceFlag+" "+dir, "put the folder there, or correct go.mod")
		}
		if root, err := filepath.EvalSymlinks(dir); err == nil && covered(root, resolved, true, notBuilt) {
			continue
		}
		content, err := folderDigest(resolved, notBuilt)
		if err != nil {
			return "", unreadable(resolved, err)
		}
		outside = true
		_, _ = fmt.Fprintf(sum, "replace %q %q %s\n", local.from.Path, local.from.Version, content)
	}
	if !outside {
		return own, nil
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// unreadable is the one line about a folder that cannot be read. A line that is there already stays.
func unreadable(dir string, err error) error {
	var known *problem.Error
	if errors.As(err, &known) {
		return err
	}
	return problem.Environment("cannot read the source tree", dir, "make it readable", err)
}

func parseTreeMod(dir string, content []byte) (*modfile.File, error) {
	file, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		return nil, problem.Usage("the source's go.mod is malformed: "+err.Error(), sourceFlag+" "+dir, "correct it")
	}
	return file, nil
}

// localReplace is a folder that a go.mod replaces a module by.
type localReplace struct {
	from module.Version
	// dir is absolute.
	dir string
}

// localReplaces lists the folders that the go.mod of a tree replaces modules by. Relative ones are below the tree.
func localReplaces(dir string, file *modfile.File) []localReplace {
	var local []localReplace
	for _, r := range file.Replace {
		if r.New.Version != "" || !modfile.IsDirectoryPath(r.New.Path) {
			continue
		}
		path := filepath.FromSlash(r.New.Path)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		local = append(local, localReplace{from: r.Old, dir: path})
	}
	return local
}
