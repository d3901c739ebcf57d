package engine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"mesh-conformance/hack/problem"
)

// shimRuntime is the name under which the daemon knows the runtime shim.
const shimRuntime = "capshim"

// settings are what differs between two machines.
type settings struct {
	pool      netip.Prefix
	shim      string // the runtime shim's path, empty where none is needed
	openFiles uint64
}

// daemonConfig is dockerd's daemon.json. Everything stands in the file, so that the machine's
// own /etc/docker/daemon.json, which belongs to another engine, is not read.
type daemonConfig struct {
	DataRoot            string                `json:"data-root"`
	ExecRoot            string                `json:"exec-root"`
	PidFile             string                `json:"pidfile"`
	Hosts               []string              `json:"hosts"`
	Group               string                `json:"group"`
	Bridge              string                `json:"bridge"`
	AddressPools        []addressPool         `json:"default-address-pools"`
	LiveRestore         bool                  `json:"live-restore"`
	ContainerdNamespace string                `json:"containerd-namespace"`
	CgroupParent        string                `json:"cgroup-parent"`
	ExecOptions         []string              `json:"exec-opts"`
	Ulimits             map[string]ulimit     `json:"default-ulimits"`
	LogOptions          map[string]string     `json:"log-opts"`
	Runtimes            map[string]ociRuntime `json:"runtimes,omitempty"`
	DefaultRuntime      string                `json:"default-runtime,omitempty"`
	UserlandProxy       bool                  `json:"userland-proxy"`
}

type addressPool struct {
	Base string `json:"base"`
	Size int    `json:"size"`
}

type ulimit struct {
	Name string
	Hard uint64
	Soft uint64
}

type ociRuntime struct {
	Path string `json:"path"`
}

// configOf is the daemon's configuration.
func configOf(at layout, with settings) daemonConfig {
	config := daemonConfig{
		DataRoot:     at.data(),
		ExecRoot:     at.exec(),
		PidFile:      at.pidFile(),
		Hosts:        []string{at.host()},
		Group:        "root",
		Bridge:       at.bridge(),
		AddressPools: []addressPool{{Base: with.pool.String(), Size: subnetBits}},
		// The daemon uses the system's containerd where one runs; names of its own keep the
		// two apart there.
		ContainerdNamespace: at.containerd(),
		// A control group of its own makes every process of every container findable when
		// daemon and shims are dead. The systemd driver would take a slice's name instead.
		CgroupParent: at.cgroup(),
		ExecOptions:  []string{"native.cgroupdriver=cgroupfs"},
		Ulimits:      map[string]ulimit{"nofile": {Name: "nofile", Hard: with.openFiles, Soft: with.openFiles}},
		LogOptions:   map[string]string{"max-size": "50m"},
		// The kernel leads to the API server: a process in between copies every byte of every request.
		UserlandProxy: false,
	}
	if with.shim != "" {
		config.Runtimes = map[string]ociRuntime{shimRuntime: {Path: with.shim}}
		config.DefaultRuntime = shimRuntime
	}
	return config
}

func writeConfig(at layout, with settings) error {
	text, err := json.MarshalIndent(configOf(at, with), "", "  ")
	if err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	if err := os.WriteFile(at.config(), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	return nil
}

// launch starts the daemon in a session of its own: an interrupt at the terminal is for the
// driver, and the engine outlives it. The channel gives how the daemon ended, should it end
// while this process lives.
func launch(at layout) (<-chan error, error) {
	dockerd, err := findProgram("dockerd")
	if err != nil {
		return nil, err
	}
	// What the last daemon said before it died is worth keeping for one more start.
	if err := os.Rename(at.log(), at.previousLog()); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("put the engine's last log aside: %w", err)
	}
	log, err := os.OpenFile(at.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the engine's log: %w", err)
	}
	defer log.Close()
	// Docker 20.10 does not take the plugins' namespace from the file.
	command := exec.Command(dockerd, "--config-file", at.config(), "--containerd-plugins-namespace", at.containerd()+"-plugins")
	command.Dir = "/"
	command.Env = daemonEnviron(os.Environ())
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, problem.Environment("cannot start the container engine", dockerd, "", err)
	}
	exited := make(chan error, 1)
	go func() {
		if err := command.Wait(); err != nil {
			exited <- err
			return
		}
		exited <- fmt.Errorf("exit status 0")
	}()
	return exited, nil
}

// daemonVariables are what the daemon inherits: how it reaches registries, nothing else of
// the user's.
var daemonVariables = map[string]bool{
	"HOME": true, "TMPDIR": true, "SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true,
	"http_proxy": true, "https_proxy": true, "no_proxy": true,
}

func daemonEnviron(inherited []string) []string {
	path := ""
	var kept []string
	for _, variable := range inherited {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "PATH":
			path = value
		case daemonVariables[name]:
			kept = append(kept, variable)
		}
	}
	folders := append(filepath.SplitList(path), systemFolders...)
	return append(kept, "PATH="+strings.Join(folders, string(filepath.ListSeparator)))
}
