package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"mesh-conformance/hack/engine/capability"
)

// machine is what a container's request is measured against.
type machine struct {
	missing capability.Set
	// hardLimit is this process's hard limit of a resource (RLIMIT_*), false where the kernel knows no such limit.
	hardLimit func(resource string) (uint64, bool)
	// oomScore is this process's oom_score_adj.
	oomScore int
}

// object keeps the fields the shim does not know as they are.
type object map[string]json.RawMessage

// rlimit is one entry of the runtime specification's process.rlimits.
type rlimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

// rewriteFile replaces a request file by what this machine can give. The file is replaced
// in one step, so that runc never reads half of it.
func rewriteFile(path string, what kind, on machine) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := rewrite(before, what, on)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".capshim-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already when the rename succeeded
	if _, err := temporary.Write(after); err != nil {
		return err
	}
	if err := temporary.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// rewrite takes missing capabilities out of a request and lowers what asks for more than
// the machine's hard limits.
func rewrite(request []byte, what kind, on machine) ([]byte, error) {
	var document object
	if err := json.Unmarshal(request, &document); err != nil {
		return nil, fmt.Errorf("parse the request: %w", err)
	}
	if what == processRequest {
		if err := rewriteProcess(document, on); err != nil {
			return nil, err
		}
		return json.Marshal(document)
	}
	if document["process"] == nil {
		return request, nil
	}
	var process object
	if err := json.Unmarshal(document["process"], &process); err != nil {
		return nil, fmt.Errorf("parse the process: %w", err)
	}
	if err := rewriteProcess(process, on); err != nil {
		return nil, err
	}
	var err error
	if document["process"], err = json.Marshal(process); err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

func rewriteProcess(process object, on machine) error {
	if raw := process["capabilities"]; raw != nil {
		var sets map[string][]string
		if err := json.Unmarshal(raw, &sets); err != nil {
			return fmt.Errorf("parse the capabilities: %w", err)
		}
		for name, set := range sets {
			sets[name] = slices.DeleteFunc(set, func(c string) bool { return on.missing[c] })
		}
		var err error
		if process["capabilities"], err = json.Marshal(sets); err != nil {
			return err
		}
	}
	// Whoever may raise limits needs none lowered.
	if !on.missing[capability.SysResource] {
		return nil
	}
	if err := rewriteOOMScore(process, on); err != nil {
		return err
	}
	return rewriteLimits(process, on)
}

// rewriteOOMScore: protecting a process from the kernel's hunt for memory, better than the
// one that starts it, needs the capability.
func rewriteOOMScore(process object, on machine) error {
	raw := process["oomScoreAdj"]
	if raw == nil {
		return nil
	}
	var score int
	if err := json.Unmarshal(raw, &score); err != nil {
		return fmt.Errorf("parse the OOM score: %w", err)
	}
	process["oomScoreAdj"] = []byte(strconv.Itoa(max(score, on.oomScore)))
	return nil
}

// rewriteLimits lowers limits to the hard ones of this process.
func rewriteLimits(process object, on machine) error {
	if process["rlimits"] == nil {
		return nil
	}
	var limits []rlimit
	if err := json.Unmarshal(process["rlimits"], &limits); err != nil {
		return fmt.Errorf("parse the limits: %w", err)
	}
	for i, limit := range limits {
		if most, known := on.hardLimit(limit.Type); known {
			limits[i].Hard, limits[i].Soft = min(limit.Hard, most), min(limit.Soft, most)
		}
	}
	var err error
	process["rlimits"], err = json.Marshal(limits)
	return err
}

// resources are the kernel's numbers of the limits of the runtime specification.
var resources = map[string]int{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE,
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

func hardLimit(resource string) (uint64, bool) {
	number, known := resources[resource]
	if !known {
		return 0, false
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(number, &limit); err != nil {
		return 0, false
	}
	return limit.Max, true
}
