package images

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
)

var someKubernetes = kindconfig.Kubernetes{Minor: "1.28", Version: "1.28.15", Pause: "3.9"}

func TestAdaptNodeFile(t *testing.T) {
	for name, c := range map[string]struct{ path, content, want string }{
		"the pause image, at its indent": {
			"/etc/containerd/config.toml", "[plugins]\n  sandbox_image = \"registry.k8s.io/pause:3.7\"\n  other = 1",
			"[plugins]\n  sandbox_image = \"registry.k8s.io/pause:3.9\"\n  other = 1",
		},
		"the runtime":   {"/etc/containerd/config.toml", "  SystemdCgroup = true", "  SystemdCgroup = false\n  BinaryName = \"/usr/bin/crun\""},
		"the OOM score": {"/etc/containerd/config.toml", "  restrict_oom_score_adj = false", "  restrict_oom_score_adj = true"},
		"limits of containerd's unit": {
			"/etc/systemd/system/containerd.service", "[Service]\nLimitNOFILE=infinity\nTasksMax=infinity\nOOMScoreAdjust=-999\nRestart=always",
			"[Service]\nRestart=always",
		},
		"nothing of the kubelet's unit": {"/etc/systemd/system/kubelet.service", "LimitNOFILE=1\nsandbox_image", "LimitNOFILE=1\nsandbox_image"},
	} {
		if got := adaptNodeFile(c.path, c.content, someKubernetes); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestNodeFiles(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"usr/local/bin/entrypoint": "#!/bin/bash", "kind/bin/mount-product-files.sh": "#!/bin/sh",
		"etc/containerd/config.toml": "sandbox_image = \"x\"", "etc/systemd/system/kubelet.service": "[Unit]",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := nodeFiles(root, someKubernetes)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]file{}
	for _, f := range files {
		if _, twice := found[f.to]; twice {
			t.Errorf("%s is there twice", f.to)
		}
		found[f.to] = f
	}
	for path, want := range map[string]file{
		"/kind/version":                                               {content: "v1.28.15", mode: 0o644},
		"/usr/local/bin/entrypoint":                                   {content: "#!/bin/bash", mode: 0o755},
		"/kind/bin/mount-product-files.sh":                            {content: "#!/bin/sh", mode: 0o755},
		"/etc/containerd/config.toml":                                 {content: `sandbox_image = "registry.k8s.io/pause:3.9"`, mode: 0o644},
		"/etc/systemd/system/kubelet.service":                         {content: "[Unit]", mode: 0o644},
		"/etc/systemd/system/kubelet.service.d/20-go.conf":            {content: goUnit, mode: 0o644},
		"/etc/systemd/system/containerd.service.d/20-go.conf":         {content: goUnit, mode: 0o644},
		patches + "/etcd+strategic.yaml":                              {content: staticPodPatch("etcd"), mode: 0o644},
		"/etc/kubernetes/manifests":                                   {dir: true, mode: 0o755},
		"/opt/cni/bin":                                                {link: "/usr/lib/cni"},
		"/etc/systemd/system/multi-user.target.wants/kubelet.service": {link: "/etc/systemd/system/kubelet.service"},
	} {
		want.to = path
		if found[path] != want {
			t.Errorf("%s is %+v, want %+v", path, found[path], want)
		}
	}
	if _, err := nodeFiles(filepath.Join(root, "none"), someKubernetes); err == nil {
		t.Error("a missing folder of kind's files is no error")
	}
}

// kind changes its files between versions: what is adapted must still be in them.
func TestKindsFilesAreAsExpected(t *testing.T) {
	b, _, _ := newPlanner(t)
	dir, err := b.moduleDir(t.Context(), os.Stderr, ".", "sigs.k8s.io/kind")
	if err != nil {
		t.Fatal(err)
	}
	files, err := nodeFiles(filepath.Join(dir, "images", "base", "files"), someKubernetes)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/etc/containerd/config.toml":            "registry.k8s.io/pause:3.9",
		"/etc/systemd/system/containerd.service": "ExecStart=",
		"/usr/local/bin/entrypoint":              "#!/bin/bash",
		"/kind/bin/mount-product-files.sh":       "#!",
	}
	for _, f := range files {
		if part, ok := want[f.to]; ok {
			if !strings.Contains(f.content, part) {
				t.Errorf("%s lacks %q", f.to, part)
			}
			delete(want, f.to)
		}
		if f.to == "/etc/containerd/config.toml" && !strings.Contains(f.content, "restrict_oom_score_adj = true") {
			t.Error("containerd may lower OOM scores")
		}
		if f.to == "/etc/systemd/system/containerd.service" && strings.Contains(f.content, "\nLimit") {
			t.Error("containerd's unit raises limits")
		}
	}
	if len(want) > 0 {
		t.Errorf("kind has no %v", want)
	}
}

// The patches have to merge into what kubeadm writes: by the container's name, and probes by their fields.
func TestStaticPodPatch(t *testing.T) {
	request := func() *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/livez"}},
			InitialDelaySeconds: 10, TimeoutSeconds: 15, PeriodSeconds: 10, FailureThreshold: 8,
		}
	}
	for name, probes := range staticPods {
		container := corev1.Container{Name: name, Image: "image", Command: []string{name}, LivenessProbe: request(), StartupProbe: request()}
		if slices.Contains(probes, "readinessProbe") {
			container.ReadinessProbe = request()
		}
		written, err := json.Marshal(corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{container}}})
		if err != nil {
			t.Fatal(err)
		}
		patch, err := yaml.YAMLToJSONStrict([]byte(staticPodPatch(name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		merged, err := strategicpatch.StrategicMergePatch(written, patch, corev1.Pod{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var pod corev1.Pod
		if err := yaml.UnmarshalStrict(merged, &pod); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(pod.Spec.Containers) != 1 {
			t.Fatalf("%s has %d containers", name, len(pod.Spec.Containers))
		}
		got := pod.Spec.Containers[0]
		if got.Image != "image" || len(got.Command) != 1 || len(got.Env) != 1 || got.Env[0].Value != "400" {
			t.Errorf("%s is %+v", name, got)
		}
		if (got.ReadinessProbe != nil) != (name == "kube-apiserver") {
			t.Errorf("%s: readinessProbe %+v", name, got.ReadinessProbe)
		}
		want := map[*corev1.Probe]int32{got.LivenessProbe: probeFailureThreshold, got.StartupProbe: startFailureThreshold}
		if got.ReadinessProbe != nil {
			want[got.ReadinessProbe] = probeFailureThreshold
		}
		for probe, threshold := range want {
			if probe.TimeoutSeconds != probeTimeoutSeconds || probe.FailureThreshold != threshold {
				t.Errorf("%s: probe with timeout %d and threshold %d", name, probe.TimeoutSeconds, probe.FailureThreshold)
			}
			if probe.HTTPGet == nil || probe.InitialDelaySeconds != 10 || probe.PeriodSeconds != 10 {
				t.Errorf("%s: the patch changes more of the probe than timeout and threshold: %+v", name, probe)
			}
		}
	}
}
