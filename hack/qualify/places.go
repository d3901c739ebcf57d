package main

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"mesh-conformance/hack/problem"
)

// places are the folders a run reads and writes, absolute.
type places struct {
	// repository is the root of the checkout.
	repository string
	// cache keeps artifacts, the private engine and the lock between runs.
	cache string
	// output is where runs put their folders.
	output string
}

// modulePath is how the checkout's root is recognised.
const modulePath = "module mesh-conformance"

func findPlaces(cache, output string) (places, error) {
	working, err := os.Getwd()
	if err != nil {
		return places{}, err
	}
	repository, err := findRepository(working)
	if err != nil {
		return places{}, err
	}
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return places{}, problem.Environment("there is no cache folder for this user", "HOME", "set HOME or --cache", err)
		}
		cache = filepath.Join(base, "mesh-conformance")
	}
	if output == "" {
		output = filepath.Join(repository, "_output")
	}
	p := places{repository: repository}
	if p.cache, err = filepath.Abs(cache); err != nil {
		return places{}, err
	}
	if p.output, err = filepath.Abs(output); err != nil {
		return places{}, err
	}
	return p, nil
}

// findRepository walks up from a folder to the checkout's root.
func findRepository(from string) (string, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		if isRepository(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", problem.Usage("not inside a checkout of mesh-conformance", from, "change into it first")
		}
	}
}

func isRepository(dir string) bool {
	file, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	return lines.Scan() && strings.TrimSpace(lines.Text()) == modulePath
}

// writable says in one line when a folder cannot be written.
func writable(dir, flag string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return problem.Environment("cannot write", dir, "make it writable or set "+flag, err)
	}
	probe, err := os.CreateTemp(dir, ".write-")
	if err != nil {
		return problem.Environment("cannot write", dir, "make it writable or set "+flag, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
