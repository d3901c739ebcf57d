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
	"strings"
	"time"
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
// contain, or where a symbolic link leads. leaveOut, if not nil, names what does not count, by the path below the folder.
func folderDigest(dir string, leaveOut ...func(path string, entry fs.DirEntry) bool) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		for _, out := range leaveOut {
			switch {
			case !out(filepath.ToSlash(relative), entry):
			case entry.IsDir():
				return fs.SkipDir
			default:
				return nil
			}
		}
		switch {
		case entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(sum, "link %q %q\n", relative, target)
			return nil
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

// notBuilt leaves out of a source tree what no build of its programs reads: its repository, its tests, and what it was
// built to before.
func notBuilt(path string, entry fs.DirEntry) bool {
	if entry.IsDir() {
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
