package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mesh-conformance/hack/problem"
)

// The packages of the node image: what kind's own base image installs, with Debian's containerd
// and CNI plugins in place of builds from source (kind v0.33.0, images/base/Dockerfile), and crun in place of runc: a
// pod that starts and ends takes a quarter less processor time.
var nodePackages = []string{
	"systemd", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "ebtables", "ipset", "kmod", "mount", "util-linux",
	"procps", "socat", "curl", "jq", "pigz", "ca-certificates", "hostname", "containerd", "crun", "containernetworking-plugins", "libseccomp2",
}

// The packages of images that program iptables: istio-init (pilot-agent) and kube-proxy. Envoy needs the C library.
var iptablesPackages = []string{"ca-certificates", "conntrack", "iproute2", "iptables", "kmod", "libc6"}

// useLegacyIptables is what Istio's own base image does (istio 1.20, docker/Dockerfile.base).
const useLegacyIptables = `for f in iptables ip6tables; do chroot "$1" update-alternatives --set $f /usr/sbin/$f-legacy; done`

// trimUnits are the steps of kind's base image after installing packages (kind v0.33.0,
// images/base/Dockerfile): a node starts containerd and the kubelet, nothing else.
var trimUnits = []string{
	`rm -f "$1"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service`,
	`rm -f "$1"/lib/systemd/system/multi-user.target.wants/* "$1"/etc/systemd/system/*.wants/* "$1"/lib/systemd/system/local-fs.target.wants/*`,
	`rm -f "$1"/lib/systemd/system/sockets.target.wants/*udev* "$1"/lib/systemd/system/sockets.target.wants/*initctl*`,
	`rm -f "$1"/lib/systemd/system/basic.target.wants/*`,
	`echo ReadKMsg=no >> "$1"/etc/systemd/journald.conf`,
	`ln -sf /usr/lib/systemd/systemd "$1"/sbin/init`,
	`ln -sf /dev/null "$1"/etc/systemd/system/systemd-binfmt.service`,
}

// docs are left out of root file systems: no program here reads them.
var docs = []string{"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*"}

const rootfsFile = "rootfs.tar"

// rootfs is the artifact of a minimal Debian root file system. Debian's archive is pinned by its
// release's signature; the package versions it gave are in packages.txt beside the tar.
func (b *Builder) rootfs(name string, packages []string, hooks ...string) *artifact {
	release := b.versions.Instruments.Debian
	build := func(ctx context.Context, out string, log io.Writer) error {
		if err := b.ensureTool(ctx, log, mmdebstrap); err != nil {
			return err
		}
		tar := filepath.Join(out, rootfsFile)
		args := []string{"--variant=minbase", "--mode=root", "--dpkgopt=force-unsafe-io", "--include=" + strings.Join(packages, ",")}
		for _, pattern := range docs {
			args = append(args, "--dpkgopt=path-exclude="+pattern)
		}
		for _, hook := range hooks {
			args = append(args, "--customize-hook="+hook)
		}
		args = append(args,
			`--customize-hook=chroot "$1" dpkg-query --show > `+quote(filepath.Join(out, "packages.txt")),
			release, tar)
		if source := debianSources(); source != "" {
			args = append(args, source)
		}
		temp := filepath.Join(out, "tmp")
		if err := os.Mkdir(temp, 0o755); err != nil {
			return err
		}
		var said bytes.Buffer
		cmd := isolated(ctx, io.MultiWriter(log, &said), "mmdebstrap", args...)
		cmd.Env = append(os.Environ(), "TMPDIR="+temp, "SOURCE_DATE_EPOCH=0")
		if err := run(cmd); err != nil {
			return problem.Environment("cannot build a Debian root file system", firstLine(said.String(), "Failed to fetch", "E: "),
				"check that Debian's packages can be reached and run again: what is built is kept", err)
		}
		return os.RemoveAll(temp)
	}
	return &artifact{
		name: name + "-rootfs", inputs: append(append([]string{release, b.goarch, strings.Join(docs, " ")}, packages...), hooks...),
		expect: 60 * time.Second, build: build,
	}
}

// isolated prepares a child with mounts and processes of its own: when it is killed, nothing that it
// mounted and nobody that it started is left.
func isolated(ctx context.Context, log io.Writer, name string, args ...string) *exec.Cmd {
	cmd := command(ctx, log, "unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "--", name}, args...)...)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// debianSources is the host's own list where the host is Debian, so that its mirror is used; elsewhere
// mmdebstrap knows Debian's.
func debianSources() string {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !bytes.Contains(release, []byte("\nID=debian\n")) {
		return ""
	}
	for _, path := range []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"} {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return path
		}
	}
	return ""
}

// quote makes a path safe inside a shell hook.
func quote(path string) string { return fmt.Sprintf("'%s'", strings.ReplaceAll(path, "'", `'\''`)) }
