package engine

import (
	"context"
	"os"
	"slices"
	"strings"

	"mesh-conformance/hack/apt"
	"mesh-conformance/hack/problem"
)

// program is one that a private engine consists of, and the Debian package that has it.
type program struct{ name, pkg string }

var needed = []program{
	{"dockerd", "docker.io"},
	{"docker", clientPackage},
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"ip", "iproute2"},
}

// clientPackage has the docker client since Debian 13; before, docker.io has it.
const clientPackage = "docker-cli"

// findProgram gives the path of a program, wherever administrators' programs are.
func findProgram(name string) (string, error) {
	if found := programs(name); len(found) > 0 {
		return found[0], nil
	}
	return "", problem.Environment("a program of the container engine is missing", name, "install it", nil)
}

// missingPrograms are those of the needed that are not there.
func missingPrograms() []program {
	return slices.DeleteFunc(slices.Clone(needed), func(p program) bool { return len(programs(p.name)) > 0 })
}

// install installs what a private engine needs and the machine lacks, without starting any
// service.
func install(ctx context.Context, options Options) error {
	policy := servicePolicy{path: policyPath}
	if err := policy.restore(); err != nil { // of an installation that was killed
		return err
	}
	missing := missingPrograms()
	if len(missing) == 0 {
		return nil
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		release = nil // not Debian, then
	}
	if _, err := findProgram("apt-get"); err != nil || !isDebian(string(release)) {
		return cannotInstall(missing)
	}
	runner := aptRunner{Runner: apt.Runner{Log: options.Log}}
	if err := runner.update(ctx); err != nil {
		return err
	}
	packages := packagesOf(missing, runner.knows(ctx, clientPackage))
	packages = append(packages, options.Packages...)
	options.Log("installing %s from the system's package source", strings.Join(packages, ", "))
	arguments := append([]string{"install", "--yes", "--quiet", "--no-install-recommends",
		"--option", "Dpkg::Options::=--force-confdef", "--option", "Dpkg::Options::=--force-confold"}, packages...)
	if err := runner.run(ctx, append(arguments, "--download-only")...); err != nil {
		return err
	}
	// The services of another process's packages must not fall under the policy.
	if err := runner.Await(ctx); err != nil {
		return runner.problem(ctx, err, "")
	}
	if err := policy.forbid(); err != nil {
		return err
	}
	// Unpacking takes seconds, and an interrupt would leave the system's packages half
	// configured: it is not interrupted.
	before := startedWithMachine(serviceFolders)
	err = runner.runWhole(ctx, arguments...)
	if disabling := disableSince(before, serviceFolders); err == nil {
		err = disabling
	}
	if restoring := policy.restore(); err == nil {
		err = restoring
	}
	if err != nil {
		return err
	}
	if missing := missingPrograms(); len(missing) > 0 {
		return cannotInstall(missing)
	}
	return ctx.Err()
}

func cannotInstall(missing []program) error {
	var names []string
	for _, p := range missing {
		names = append(names, p.name)
	}
	return problem.Environment("no Docker answers and a private engine lacks programs", strings.Join(names, ", "),
		"start Docker, or install them (Debian, Ubuntu: apt-get install docker.io iptables iproute2)", nil)
}

// isDebian says whether an os-release file is of Debian or one of its descendants.
func isDebian(release string) bool {
	for line := range strings.Lines(release) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name != "ID" && name != "ID_LIKE" {
			continue
		}
		for word := range strings.FieldsSeq(strings.Trim(value, `"'`)) {
			if word == "debian" || word == "ubuntu" {
				return true
			}
		}
	}
	return false
}

// packagesOf are the packages of programs, each once.
func packagesOf(missing []program, splitClient bool) []string {
	var packages []string
	for _, p := range missing {
		pkg := p.pkg
		if pkg == clientPackage && !splitClient {
			pkg = "docker.io"
		}
		if !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
	}
	return packages
}
