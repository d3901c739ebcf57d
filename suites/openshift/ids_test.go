package openshift

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func pointer(id int64) *int64 { return &id }

func TestAsked(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "first", SecurityContext: &corev1.SecurityContext{RunAsUser: pointer(1), RunAsGroup: pointer(2)}}},
		Containers: []corev1.Container{
			{Name: "second", SecurityContext: &corev1.SecurityContext{RunAsUser: pointer(3), RunAsGroup: pointer(4)}},
			{Name: "groupless", SecurityContext: &corev1.SecurityContext{RunAsUser: pointer(5)}},
			{Name: "userless", SecurityContext: &corev1.SecurityContext{}},
			{Name: "bare"},
		},
	}}
	for name, want := range map[string]ids{"first": {1, 2}, "second": {3, 4}} {
		if got, err := asked(pod, name); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"groupless", "bare", "none"} {
		if got, err := asked(pod, name); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, want := range map[string]int64{"first": 1, "groupless": 5} {
		if got, err := askedUser(pod, name); err != nil || got != want {
			t.Errorf("user of %s: %d, %v; want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"userless", "bare", "none"} {
		if got, err := askedUser(pod, name); err == nil {
			t.Errorf("user of %s: %d", name, got)
		}
	}
}

func TestExcluded(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{InitContainers: []corev1.Container{
		{Name: "told", Args: []string{"-p", "15001", "-u", "7"}},
		{Name: "untold", Args: []string{"-p", "15001"}},
		{Name: "cut", Args: []string{"-u"}},
		{Name: "odd", Args: []string{"-u", "root"}},
	}}}
	if got, err := excluded(pod, "told"); err != nil || got != 7 {
		t.Errorf("%d, %v", got, err)
	}
	for _, name := range []string{"untold", "cut", "odd", "none"} {
		if got, err := excluded(pod, name); err == nil {
			t.Errorf("%s: %d", name, got)
		}
	}
}

const statuses = "Name:\tpause\nUid:\t65535\t65535\t65535\t65535\nGid:\t65535\t65535\t65535\t65535\n" +
	"Name:\tenvoy\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t9\n" +
	"Name:\todd\nUid:\t1\t0\t0\t0\nGid:\t1\t1\t1\t1\n"

func TestRunningAs(t *testing.T) {
	for program, want := range map[string]ids{"envoy": {7, 8}, "pause": {65535, 65535}} {
		if got, err := runningAs(statuses, program); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", program, got, err, want)
		}
	}
	for _, program := range []string{"odd", "none", ""} {
		if got, err := runningAs(statuses, program); err == nil {
			t.Errorf("%q: %s", program, got)
		}
	}
}

func TestParseOwners(t *testing.T) {
	for rules, want := range map[string]owners{
		"": {},
		"-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 7 -j RETURN\n-A ISTIO_OUTPUT -m owner --uid-owner 7 -j RETURN\n" +
			"-A ISTIO_OUTPUT -m owner --gid-owner 8 -j RETURN\n": {Users: []string{"7"}, Groups: []string{"8"}},
		"-A X -m owner --uid-owner 7 -j RETURN\n-A X -m owner --uid-owner 1337 -j RETURN\n": {Users: []string{"7", "1337"}},
		"-A X -m owner --uid-owner\n": {},
	} {
		if got := parseOwners(rules); !slices.Equal(got.Users, want.Users) || !slices.Equal(got.Groups, want.Groups) {
			t.Errorf("%q: %q, want %q", rules, got, want)
		}
	}
}

func TestFixed(t *testing.T) {
	if got := fixed(corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{}, Containers: []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{}}, {Name: "d"}}}); len(got) > 0 {
		t.Errorf("nothing fixed: %q", got)
	}
	spec := corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{FSGroup: pointer(1)},
		Containers:      []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{RunAsUser: pointer(2)}}},
	}
	if got, want := fixed(spec), []string{"fsGroup", "c: runAsUser"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
