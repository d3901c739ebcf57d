// Package startupprobe shows the probes of the proxies that Istio injects and deploys: what stands in the
// pod's spec, and what the kubelet makes of it.
package startupprobe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/sidecar"
)

// What the probes of a sidecar are: those of the chart's values, and those of Istio 1.19, which the upgrade
// notes recommend for whoever wants no startup probe.
const (
	startup         = "startup GET :15021/healthz/ready after 0s, every 1s, 3s each, fails at 600"
	readiness       = "readiness GET :15021/healthz/ready after 0s, every 15s, 3s each, fails at 4"
	readinessBefore = "readiness GET :15021/healthz/ready after 1s, every 2s, 3s each, fails at 30"
)

// have matches a container with these probes and no others.
func have(probes ...string) OmegaMatcher { return HaveExactElements(probes) }

// probesOf writes down the probes of a pod's proxy, wherever it stands.
func probesOf(pod corev1.PodSpec) ([]string, error) {
	all := slices.Concat(pod.Containers, pod.InitContainers)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == sidecar.Container })
	if i < 0 {
		var names []string
		for _, container := range all {
			names = append(names, container.Name)
		}
		return nil, fmt.Errorf("the pod has no container %s, only %s", sidecar.Container, strings.Join(names, ", "))
	}
	probes := []string{}
	for _, p := range []struct {
		name  string
		probe *corev1.Probe
	}{{"startup", all[i].StartupProbe}, {"readiness", all[i].ReadinessProbe}, {"liveness", all[i].LivenessProbe}} {
		if p.probe != nil {
			probes = append(probes, p.name+" "+describe(p.probe))
		}
	}
	return probes, nil
}

// describe writes a probe in one line, with Kubernetes' defaults where it leaves a field out.
func describe(p *corev1.Probe) string {
	asks := "asks otherwise"
	if get := p.HTTPGet; get != nil {
		asks = fmt.Sprintf("GET %s:%s%s", get.Host, get.Port.String(), get.Path)
		if scheme := cmp.Or(get.Scheme, corev1.URISchemeHTTP); scheme != corev1.URISchemeHTTP {
			asks = string(scheme) + " " + asks
		}
	}
	text := fmt.Sprintf("%s after %ds, every %ds, %ds each, fails at %d",
		asks, p.InitialDelaySeconds, cmp.Or(p.PeriodSeconds, 10), cmp.Or(p.TimeoutSeconds, 1), cmp.Or(p.FailureThreshold, 3))
	if successes := cmp.Or(p.SuccessThreshold, 1); successes != 1 {
		text += fmt.Sprintf(", succeeds at %d", successes)
	}
	return text
}
