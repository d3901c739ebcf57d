package main

import (
	"path/filepath"
	"strings"
)

// kind says what a request file describes.
type kind int

const (
	noRequest        kind = iota
	containerRequest      // a bundle's config.json
	processRequest        // the process of an exec
)

// valued are runc's flags that take a value of their own, before and after the command.
var valued = set("root", "log", "log-format", "criu", "rootless",
	"bundle", "b", "process", "p", "console-socket", "pid-file", "preserve-fds",
	"cwd", "env", "e", "user", "u", "additional-gids", "g", "process-label", "apparmor", "cap", "c", "cgroup",
	"image-path", "work-path", "parent-path", "manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context")

func set(names ...string) map[string]bool {
	members := map[string]bool{}
	for _, name := range names {
		members[name] = true
	}
	return members
}

// requestOf finds the file that says what runc is asked to start: the bundle's config on
// create and run, the process file on exec. Every other command starts nothing.
func requestOf(arguments []string) (string, kind) {
	command, rest := splitCommand(arguments)
	switch command {
	case "create", "run", "restore":
		bundle := flagValue(rest, "bundle", "b")
		return filepath.Join(bundle, "config.json"), containerRequest // runc's own default is the working directory
	case "exec":
		if file := flagValue(rest, "process", "p"); file != "" {
			return file, processRequest
		}
	}
	return "", noRequest
}

// splitCommand separates runc's command from the global flags before it.
func splitCommand(arguments []string) (string, []string) {
	for i := 0; i < len(arguments); i++ {
		if !strings.HasPrefix(arguments[i], "-") {
			return arguments[i], arguments[i+1:]
		}
		if valued[strings.TrimLeft(arguments[i], "-")] {
			i++ // its value
		}
	}
	return "", nil
}

// flagValue is the value of a flag given as "--name value", "--name=value" or the same by
// its short name. What follows the container's id are no flags of runc.
func flagValue(arguments []string, name, short string) string {
	for i := 0; i < len(arguments) && strings.HasPrefix(arguments[i], "-") && arguments[i] != "--"; i++ {
		flag, value, attached := strings.Cut(strings.TrimLeft(arguments[i], "-"), "=")
		if !attached && valued[flag] && i+1 < len(arguments) {
			i++
			value = arguments[i]
		}
		if flag == name || flag == short {
			return value
		}
	}
	return ""
}
