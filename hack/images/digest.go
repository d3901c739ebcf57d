package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// fileDigest is sha256:… of a file's content.
func fileDigest(path string) (string, error) {
	sum := sha256.New()
	if err := hashFile(sum, path); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(to io.Writer, path string) error {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(to, file)
	return err
}

// folderDigest is sha256:… of a folder's content: the paths of its files, whether they are executable, and what they
// contain, or where a symbolic link leads. Of a link to a file that the digest does not cover otherwise, the content
// counts, too; such a link to a folder is an error of usage. dir may be a link itself. leaveOut, if not nil, names what
// does not count, by the path below the folder.
func folderDigest(dir string, leaveOut ...func(path string, folder bool) bool) (string, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	left := func(path string, folder bool) bool {
		return slices.ContainsFunc(leaveOut, func(out func(string, bool) bool) bool {
			return out(filepath.ToSlash(path), folder)
		})
	}
	sum := sha256.New()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case left(relative, entry.IsDir()) && entry.IsDir():
			return fs.SkipDir
		case left(relative, entry.IsDir()) || entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			return hashLink(sum, root, relative, left)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "file %q %t %d\n", relative, info.Mode()&0o111 != 0, info.Size())
		return hashFile(sum, path)
	})
	if err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// hashLink adds a symbolic link below root to a folder's digest. left reports what the digest leaves out.
func hashLink(sum io.Writer, root, relative string, left func(path string, folder bool) bool) error {
	path := filepath.Join(root, relative)
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(sum, "link %q %q\n", relative, target)
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil // The link leads nowhere, and a build that reads it fails.
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return err
	}
	if covered(root, resolved, info.IsDir(), left) {
		return nil
	}
	if info.IsDir() {
		return problem.Usage("a symbolic link leads to a folder outside of what is built: "+resolved, path,
			"put the folder in the link's place, or remove the link")
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	_, _ = fmt.Fprintf(sum, "content %t %d\n", info.Mode()&0o111 != 0, info.Size())
	return hashFile(sum, resolved)
}

// covered reports whether the digest of root has a file or folder in its own place: it is below root, and neither it
// nor a folder above it is left out.
func covered(root, path string, folder bool, left func(path string, folder bool) bool) bool {
	relative, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(relative) {
		return false
	}
	for above := relative; above != "."; above = filepath.Dir(above) {
		if left(above, folder || above != relative) {
			return false
		}
	}
	return true
}

// notBuilt leaves out of a source tree what no build of its programs reads: its repository, its tests, and what it was
// built to before.
func notBuilt(path string, folder bool) bool {
	if folder {
		return path == ".git" || path == "out"
	}
	return path == ".git" || strings.HasSuffix(path, "_test.go")
}

// copied is the artifact of a copy of a file or folder whose digest is known.
func copied(name, digest, from, as string) *artifact {
	return &artifact{
		name: name, inputs: []string{digest}, expect: time.Second,
		build: func(_ context.Context, out string, _ io.Writer) error {
			to := filepath.Join(out, as)
			if err := copyTree(from, to); err != nil {
				return err
			}
			info, err := os.Stat(to)
			if err != nil || info.IsDir() {
				return err
			}
			return os.Chmod(to, 0o755)
		},
	}
}
