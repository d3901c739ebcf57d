package images

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"mesh-conformance/kindconfig"
)

// engineNode is a node image in the engine.
type engineNode struct {
	Reference string `json:"reference"`
	ID        string `json:"id"`
	// Digest is the registry's, of a published node.
	Digest string `json:"digest,omitempty"`
	// Pinned is the digest that a mirror's replaces, Mirror the reference in the mirror.
	Pinned string `json:"pinned,omitempty"`
	Mirror string `json:"mirror,omitempty"`
	// Traits are read from an image that was not built here.
	Traits *kindconfig.NodeTraits `json:"traits,omitempty"`
}

const nodeFile = "node.json"

// nodeConfig is what kind expects of a node image (kind v0.33.0, images/base/Dockerfile, last stage).
var nodeConfig = v1.Config{
	Env:        []string{defaultPath, "container=docker"},
	Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
	StopSignal: "SIGRTMIN+3",
}

// node is the artifact of a kind node image that carries Kubernetes and every image of the cell.
func (b *Builder) node(kubernetes kindconfig.Kubernetes, programs, root, kindFiles *artifact, images []*artifact) *artifact {
	a := &artifact{
		name: "node-" + kubernetes.Version, expect: 45 * time.Second,
		inputs: []string{nodeSetup, isolateUnit, contentUnit, runtimeOptions, cniConfig, goUnit, kubernetes.Pause, fmt.Sprint(nodeConfig)},
		needs:  append([]*artifact{programs, root, kindFiles}, images...),
	}
	for _, name := range slices.Sorted(maps.Keys(staticPods)) {
		a.inputs = append(a.inputs, staticPodPatch(name))
	}
	a.build = func(ctx context.Context, out string, log io.Writer) error {
		base, err := b.nodeBase(kubernetes, programs, root, kindFiles, out)
		if err != nil {
			return fmt.Errorf("assemble the node's file system: %w", err)
		}
		archive := filepath.Join(out, "images.tar")
		if err := b.writeArchive(archive, images); err != nil {
			return fmt.Errorf("collect the node's images: %w", err)
		}
		reference := madeHere + "node:v" + kubernetes.Version + "-" + a.key()[:12]
		if err := b.bake(ctx, log, base, archive, reference); err != nil {
			return err
		}
		id, err := b.imageID(ctx, reference)
		if err != nil {
			return err
		}
		for _, used := range []string{base, archive} {
			if err := os.Remove(used); err != nil {
				return err
			}
		}
		return writeJSON(filepath.Join(out, nodeFile), engineNode{Reference: reference, ID: id})
	}
	a.valid = b.nodeIsThere
	return a
}

// nodeIsThere says whether the engine still has the node image that dir describes.
func (b *Builder) nodeIsThere(ctx context.Context, dir string) bool {
	node, err := readNode(dir)
	if err != nil {
		return false
	}
	id, err := b.imageID(ctx, node.Reference)
	return err == nil && id == node.ID
}

func readNode(dir string) (engineNode, error) {
	var node engineNode
	content, err := os.ReadFile(filepath.Join(dir, nodeFile))
	if err != nil {
		return node, err
	}
	return node, json.Unmarshal(content, &node)
}

// nodeBase writes a docker archive of the node without images and gives its path.
func (b *Builder) nodeBase(kubernetes kindconfig.Kubernetes, programs, root, kindFiles *artifact, out string) (string, error) {
	files, err := nodeFiles(filepath.Join(b.store.path(kindFiles), "files"), kubernetes)
	if err != nil {
		return "", err
	}
	for _, program := range []string{"kubelet", "kubeadm", "kubectl"} {
		files = append(files, file{to: "/usr/bin/" + program, from: filepath.Join(b.store.path(programs), program), mode: 0o755})
	}
	layer := filepath.Join(out, "layer.tar")
	if err := writeLayer(layer, files); err != nil {
		return "", err
	}
	img, err := assembleImage([]string{filepath.Join(b.store.path(root), rootfsFile), layer}, nodeConfig, b.goarch)
	if err != nil {
		return "", err
	}
	tag, err := name.NewTag(stagingReference)
	if err != nil {
		return "", err
	}
	base := filepath.Join(out, "base.tar")
	if err := tarball.WriteToFile(base, tag, img); err != nil {
		return "", err
	}
	return base, os.Remove(layer)
}

// isolateUnit keeps a cluster's traffic on this machine, and a missing image missing. Packets to a
// Service that kube-proxy has not programmed yet are dropped before they leave a trace in conntrack, so
// that the sender's next try goes through; everything else without a route ends in a bridge without ports.
// What pods send beyond their network is masqueraded by one rule, see cniConfig.
const isolateUnit = `[Unit]
Description=Keep the cluster's traffic on this machine
Before=containerd.service kubelet.service

[Service]
Type=oneshot
ExecStart=/bin/sh -euc "ip link add unrouted type bridge; ip link set unrouted arp off up; ip route replace default dev unrouted; ip -6 route replace default dev unrouted || true"
ExecStart=/bin/sh -euc "for chain in FORWARD OUTPUT; do iptables -w -I $$chain -d 10.96.0.0/16 -j DROP; done"
ExecStart=iptables -w -t nat -A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -j MASQUERADE

[Install]
WantedBy=multi-user.target
`

// cniConfig is the node's pod network: kind's own, kindnetd, is no Go module, and one node needs no routes. Without
// masquerading by the plugin, which is a chain and several runs of iptables for each pod, and without portmap, which
// searches for the ports of each pod that goes: no pod of the suite has a host port.
const cniConfig = `{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true,
      "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]}
    }
  ]
}
`

// goUnit has a unit's Go programs, and those that they start, collect garbage more rarely: a sixth of the kubelet's
// work is that, to keep its heap below some ten megabytes.
const goUnit = `[Service]
Environment=GOGC=400
`

// contentStore is where the images of a node are; contentUnit has containerd find them.
const contentStore = "/kind/content"

const contentUnit = `[Service]
ExecStartPre=/bin/sh -euc "d=/var/lib/containerd/io.containerd.content.v1.content; mkdir -p $$d; mountpoint -q $$d || mount --bind ` + contentStore + ` $$d"
`

// patches is where kubeadm finds patches of static pods, see kindconfig/cluster-built.yaml.
const patches = "/etc/mesh-conformance/patches"

// staticPods maps each static pod of kubeadm's to its probes; its one container has the same name. Only the API server has a
// readinessProbe, and a patch with a probe that kubeadm does not write would lack the request that the probe makes.
var staticPods = map[string][]string{
	"etcd":                    {"livenessProbe", "startupProbe"},
	"kube-apiserver":          {"livenessProbe", "readinessProbe", "startupProbe"},
	"kube-controller-manager": {"livenessProbe", "startupProbe"},
	"kube-scheduler":          {"livenessProbe", "startupProbe"},
}

// Probes of the static pods. kubeadm gives a probe 15 s to be answered; the kubelet restarts a pod after 8 failed liveness
// probes, which on a starved node only say that the node is starved. A pod that hangs is still restarted, after ten
// minutes; kubeadm's startup probe, with a period of 10 s, gets 20 minutes. Periods and delays stay kubeadm's.
const (
	probeTimeoutSeconds   = 60
	probeFailureThreshold = 60
	startFailureThreshold = 120
)

// staticPodPatch returns kubeadm's strategic merge patch of a static pod: it does for the pod what goUnit does for a unit, and
// makes its probes patient. Containers merge by name.
func staticPodPatch(name string) string {
	patch := "spec:\n  containers:\n  - name: " + name + "\n    env:\n    - {name: GOGC, value: \"400\"}\n"
	for _, probe := range staticPods[name] {
		threshold := probeFailureThreshold
		if probe == "startupProbe" {
			threshold = startFailureThreshold
		}
		patch += fmt.Sprintf("    %s: {timeoutSeconds: %d, failureThreshold: %d}\n", probe, probeTimeoutSeconds, threshold)
	}
	return patch
}

// runtimeOptions have containerd's runtime, crun, make control groups by itself. Asking systemd takes an eighth more of
// what a pod costs, and on a busy machine some starts waited ten seconds for it. The kubelet has to agree, see
// kindconfig/cluster-built.yaml.
const runtimeOptions = `SystemdCgroup = false
BinaryName = "/usr/bin/crun"`

// nodeFiles are kind's own files, adapted to Debian's containerd and to hosts that lack a capability.
func nodeFiles(root string, kubernetes kindconfig.Kubernetes) ([]file, error) {
	files := []file{
		{to: "/kind/version", content: "v" + kubernetes.Version, mode: 0o644},
		{to: "/etc/kubernetes/manifests", dir: true, mode: 0o755},
		// kind's units and kubeadm's defaults name these places; Debian installs elsewhere.
		{to: "/usr/local/bin/containerd", link: "/usr/bin/containerd"},
		{to: "/opt/cni/bin", link: "/usr/lib/cni"},
	}
	files = append(files, file{to: "/etc/cni/net.d/10-mesh-conformance.conflist", content: cniConfig, mode: 0o644})
	files = append(files, file{to: "/etc/systemd/system/isolate.service", content: isolateUnit, mode: 0o644})
	for _, unit := range []string{"kubelet", "containerd"} {
		files = append(files, file{to: "/etc/systemd/system/" + unit + ".service.d/20-go.conf", content: goUnit, mode: 0o644})
	}
	files = append(files, file{to: "/etc/systemd/system/containerd.service.d/30-content.conf", content: contentUnit, mode: 0o644})
	for _, name := range slices.Sorted(maps.Keys(staticPods)) {
		files = append(files, file{to: patches + "/" + name + "+strategic.yaml", content: staticPodPatch(name), mode: 0o644})
	}
	for _, unit := range []string{"kubelet", "containerd", "undo-mount-hacks", "isolate"} {
		files = append(files, file{to: "/etc/systemd/system/multi-user.target.wants/" + unit + ".service", link: "/etc/systemd/system/" + unit + ".service"})
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(path, root)
		mode := int64(0o644)
		if strings.HasPrefix(to, "/usr/local/bin/") || strings.HasPrefix(to, "/kind/bin/") {
			mode = 0o755
		}
		files = append(files, file{to: to, content: adaptNodeFile(to, string(content), kubernetes), mode: mode})
		return nil
	})
	return files, err
}

// adaptNodeFile changes the settings of kind's files that do not fit here.
func adaptNodeFile(path, content string, kubernetes kindconfig.Kubernetes) string {
	switch path {
	case "/etc/containerd/config.toml":
		lines := strings.Split(content, "\n")
		for i, line := range lines {
			indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
			switch {
			case strings.HasPrefix(strings.TrimSpace(line), "sandbox_image"):
				lines[i] = indent + fmt.Sprintf("sandbox_image = %q", systemHub+"/pause:"+kubernetes.Pause)
			// Lowering a process's OOM score takes CAP_SYS_RESOURCE, which a host may not have.
			case strings.HasPrefix(strings.TrimSpace(line), "restrict_oom_score_adj"):
				lines[i] = indent + "restrict_oom_score_adj = true"
			case strings.HasPrefix(strings.TrimSpace(line), "SystemdCgroup"):
				lines[i] = indent + strings.ReplaceAll(runtimeOptions, "\n", "\n"+indent)
			}
		}
		return strings.Join(lines, "\n")
	case "/etc/systemd/system/containerd.service":
		var kept []string
		for _, line := range strings.Split(content, "\n") {
			// Raising a hard limit takes CAP_SYS_RESOURCE as well.
			if strings.HasPrefix(line, "Limit") || strings.HasPrefix(line, "TasksMax") || strings.HasPrefix(line, "OOMScoreAdjust") {
				continue
			}
			kept = append(kept, line)
		}
		return strings.Join(kept, "\n")
	}
	return content
}
