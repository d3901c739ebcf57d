package main

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// given is what the pods of these tests are allotted.
var given = allotment{users: block{100, 199}, fsGroup: 300}

func pointer[T any](value T) *T { return &value }

// pod makes a pod of one container that the constraint has completed, and alters it.
func pod(alter func(*corev1.PodSpec, *corev1.SecurityContext)) *corev1.PodSpec {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}
	assign(spec, given)
	alter(spec, spec.Containers[0].SecurityContext)
	return spec
}

func TestConstraintAdmits(t *testing.T) {
	for name, alter := range map[string]func(*corev1.PodSpec, *corev1.SecurityContext){
		"what it assigned itself": func(*corev1.PodSpec, *corev1.SecurityContext) {},
		"the last user":           func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.RunAsUser = pointer(int64(199)) },
		"the pod's user": func(p *corev1.PodSpec, c *corev1.SecurityContext) {
			c.RunAsUser, p.SecurityContext.RunAsUser = nil, pointer(int64(150))
		},
		"a container's user before the pod's": func(p *corev1.PodSpec, _ *corev1.SecurityContext) { p.SecurityContext.RunAsUser = pointer(int64(0)) },
		"any group":                           func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.RunAsGroup = pointer(int64(1337)) },
		"NET_BIND_SERVICE": func(_ *corev1.PodSpec, c *corev1.SecurityContext) {
			c.Capabilities.Add = []corev1.Capability{"NET_BIND_SERVICE"}
		},
		"what Istio mounts": func(p *corev1.PodSpec, _ *corev1.SecurityContext) {
			p.Volumes = []corev1.Volume{
				{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}},
				{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
				{VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}},
				{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}},
			}
		},
		"a port": func(p *corev1.PodSpec, _ *corev1.SecurityContext) {
			p.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}}
		},
	} {
		if found := violations(pod(alter), given); len(found) > 0 {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestConstraintRefuses(t *testing.T) {
	unconfined := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	for name, c := range map[string]struct {
		alter func(*corev1.PodSpec, *corev1.SecurityContext)
		want  []string
	}{
		"no user": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.RunAsUser = nil }, []string{"container c: has no runAsUser"}},
		"root":    {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.RunAsUser = pointer(int64(0)) }, []string{"container c: runAsUser 0 is not in 100-199"}},
		"a user above": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.RunAsUser = pointer(int64(200)) },
			[]string{"container c: runAsUser 200 is not in 100-199"}},
		"the pod's user out of range": {func(p *corev1.PodSpec, c *corev1.SecurityContext) {
			c.RunAsUser, p.SecurityContext.RunAsUser = nil, pointer(int64(99))
		}, []string{"container c: runAsUser 99 is not in 100-199"}},
		"another group of volumes": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) { p.SecurityContext.FSGroup = pointer(int64(301)) },
			[]string{"fsGroup 301 is not 300"}},
		"no group of volumes": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) { p.SecurityContext.FSGroup = nil }, []string{"the pod has no fsGroup"}},
		"capabilities": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) {
			c.Capabilities.Add = []corev1.Capability{"NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"}
		}, []string{"container c: may not add capability NET_ADMIN", "container c: may not add capability NET_RAW"}},
		"capabilities not dropped": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.Capabilities = nil }, []string{"container c: does not drop all capabilities"}},
		"privileged":               {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.Privileged = pointer(true) }, []string{"container c: may not be privileged"}},
		"escalation": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.AllowPrivilegeEscalation = nil },
			[]string{"container c: may not allow privilege escalation"}},
		"the pod's seccomp profile": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) { p.SecurityContext.SeccompProfile = unconfined },
			[]string{"the pod may not have seccomp profile Unconfined"}},
		"a container's seccomp profile": {func(_ *corev1.PodSpec, c *corev1.SecurityContext) { c.SeccompProfile = unconfined },
			[]string{"container c: may not have seccomp profile Unconfined"}},
		"the host": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) {
			p.HostNetwork, p.HostPID, p.HostIPC = true, true, true
		},
			[]string{"the pod may not use the host's IPC", "the pod may not use the host's network", "the pod may not use the host's process ids"}},
		"a path of the host": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) {
			p.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}}}
		}, []string{"volume v is of a type that is not allowed"}},
		"a port of the host": {func(p *corev1.PodSpec, _ *corev1.SecurityContext) {
			p.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
		}, []string{"container c: may not have host port 80"}},
		"an init container": {func(p *corev1.PodSpec, c *corev1.SecurityContext) {
			p.InitContainers = []corev1.Container{{Name: "i", SecurityContext: c.DeepCopy()}}
			p.InitContainers[0].SecurityContext.RunAsUser = pointer(int64(0))
		}, []string{"container i: runAsUser 0 is not in 100-199"}},
	} {
		if found := violations(pod(c.alter), given); !slices.Equal(found, c.want) {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
}

func TestConstraintRefusesWhatItHasNotCompleted(t *testing.T) {
	want := []string{
		"the pod has no fsGroup", "container c: has no runAsUser", "container c: may not allow privilege escalation",
		"container c: does not drop all capabilities",
	}
	if found := violations(&corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}, given); !slices.Equal(found, want) {
		t.Errorf("%q, want %q", found, want)
	}
}

func TestAssignKeepsWhatIsThere(t *testing.T) {
	spec := &corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{FSGroup: pointer(int64(1)), RunAsUser: pointer(int64(2))},
		Containers: []corev1.Container{
			{SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: pointer(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}},
			{SecurityContext: &corev1.SecurityContext{RunAsUser: pointer(int64(3)), Privileged: pointer(true)}},
		},
	}
	assign(spec, given)
	first, second := spec.Containers[0].SecurityContext, spec.Containers[1].SecurityContext
	if *spec.SecurityContext.FSGroup != 1 || first.RunAsUser != nil || !*first.AllowPrivilegeEscalation || len(first.Capabilities.Drop) != 1 {
		t.Errorf("%+v, %+v", spec.SecurityContext, first)
	}
	if *second.RunAsUser != 3 || second.AllowPrivilegeEscalation != nil {
		t.Errorf("%+v", second)
	}
}
