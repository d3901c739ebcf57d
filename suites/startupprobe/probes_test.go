package startupprobe

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func get(change func(*corev1.Probe)) *corev1.Probe {
	p := &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromInt32(15021)}},
		PeriodSeconds: 1, TimeoutSeconds: 3, FailureThreshold: 600,
	}
	if change != nil {
		change(p)
	}
	return p
}

func TestDescribe(t *testing.T) {
	for name, c := range map[string]struct {
		probe *corev1.Probe
		want  string
	}{
		"as istioctl writes it": {get(nil), strings.TrimPrefix(startup, "startup ")},
		"as the API server completes it": {get(func(p *corev1.Probe) { p.SuccessThreshold, p.HTTPGet.Scheme = 1, corev1.URISchemeHTTP }),
			strings.TrimPrefix(startup, "startup ")},
		"Kubernetes' defaults": {get(func(p *corev1.Probe) { p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 0, 0, 0 }),
			"GET :15021/healthz/ready after 0s, every 10s, 1s each, fails at 3"},
		"another scheme": {get(func(p *corev1.Probe) { p.HTTPGet.Scheme = corev1.URISchemeHTTPS }),
			"HTTPS GET :15021/healthz/ready after 0s, every 1s, 3s each, fails at 600"},
		"several successes": {get(func(p *corev1.Probe) { p.SuccessThreshold = 2 }),
			"GET :15021/healthz/ready after 0s, every 1s, 3s each, fails at 600, succeeds at 2"},
		"no HTTP": {&corev1.Probe{}, "asks otherwise after 0s, every 10s, 1s each, fails at 3"},
	} {
		if got := describe(c.probe); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestProbesOf(t *testing.T) {
	application := corev1.Container{Name: "echo", LivenessProbe: get(nil)}
	proxy := corev1.Container{Name: "istio-proxy", StartupProbe: get(nil)}
	bare := corev1.Container{Name: "istio-proxy"}
	for name, c := range map[string]struct {
		pod  corev1.PodSpec
		want []string
	}{
		"beside the application": {corev1.PodSpec{Containers: []corev1.Container{application, proxy}}, []string{startup}},
		"as a native sidecar": {corev1.PodSpec{Containers: []corev1.Container{application}, InitContainers: []corev1.Container{proxy}},
			[]string{startup}},
		"without a probe": {corev1.PodSpec{Containers: []corev1.Container{application, bare}}, nil},
	} {
		got, err := probesOf(c.pod)
		if err != nil || strings.Join(got, "; ") != strings.Join(c.want, "; ") || got == nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
	if _, err := probesOf(corev1.PodSpec{Containers: []corev1.Container{application}}); err == nil || !strings.Contains(err.Error(), "echo") {
		t.Errorf("no proxy: got %v, want an error that names what there is", err)
	}
}
