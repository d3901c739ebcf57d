// Command capshim is an OCI runtime for machines whose bounding set lacks capabilities:
// it takes out of a container's request what the machine cannot give, then becomes runc.
//
// An engine asks for every capability when a container is privileged, and runc refuses the
// whole container when one of them is missing. The engine calls capshim in runc's place,
// with runc's own arguments.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"mesh-conformance/hack/engine/capability"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "capshim:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("find runc: %w", err)
	}
	if file, kind := requestOf(arguments); kind != noRequest {
		machine, err := readMachine()
		if err != nil {
			return err
		}
		if err := rewriteFile(file, kind, machine); err != nil {
			return fmt.Errorf("rewrite %s: %w", file, err)
		}
	}
	if err := syscall.Exec(runc, append([]string{"runc"}, arguments...), os.Environ()); err != nil {
		return fmt.Errorf("execute %s: %w", runc, err)
	}
	return nil
}

// readMachine asks the kernel what this process, and so every container it starts, can have.
func readMachine() (machine, error) {
	missing, err := capability.Missing()
	if err != nil {
		return machine{}, err
	}
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return machine{}, fmt.Errorf("read the OOM score: %w", err)
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return machine{}, fmt.Errorf("parse the OOM score: %w", err)
	}
	return machine{missing: missing, hardLimit: hardLimit, oomScore: score}, nil
}
