package controlplane

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// openshift stands for a profile of istioctl.
func openshift(name string) ([]byte, error) {
	if name != "openshift" {
		return nil, errors.New("no such profile")
	}
	return []byte(`spec: {components: {cni: {enabled: true, namespace: kube-system}}, values: {cni: {provider: multus, logLevel: info}, global: {platform: openshift}}}`), nil
}

func TestEveryFileCanBeInstalledByHelm(t *testing.T) {
	for _, name := range Names() {
		made, err := Compose(Operator(name), nil, &kindconfig.Cell{}, ofSubject[name])
		if err != nil {
			t.Fatal(err)
		}
		charts, err := ToHelm(made, openshift)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		spec := composed(t, name, "", kindconfig.Cell{}, ofSubject[name])
		_, alone := spec["revision"]
		if (charts.Base == nil) != alone {
			t.Errorf("%s: the chart base is installed: %v", name, charts.Base != nil)
		}
		if (charts.CNI != nil) != (name == "openshift") {
			t.Errorf("%s: istio-cni is installed: %v", name, charts.CNI != nil)
		}
		// Every variable of the file arrives.
		list, _ := at(spec, split(operatorEnv)...)
		variables, _ := list.([]any)
		env, _ := at(charts.Istiod, split(valuesEnv)...)
		for _, element := range variables {
			if of, _ := env.(tree); of[nameOf(element)] != element.(tree)["value"] {
				t.Errorf("%s: %s is %v for Helm, %v for istioctl", name, nameOf(element), of[nameOf(element)], element)
			}
		}
	}
}

func TestToHelm(t *testing.T) {
	charts, err := ToHelm(Operator("openshift"), openshift)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"cni.provider": "default", "cni.logLevel": "info", "global.platform": "openshift", "cni.resources.requests.cpu": "5m",
		"pilot.replicaCount": int64(1), "pilot.resources.requests.memory": "128Mi", "meshConfig.defaultConfig.concurrency": int64(1),
	} {
		if got, _ := at(charts.CNI, split(path)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if charts.CNINamespace != "kube-system" || charts.Base["defaultRevision"] != "default" {
		t.Errorf("istio-cni goes to %s, the default revision is %v", charts.CNINamespace, charts.Base["defaultRevision"])
	}
	if charts, err = ToHelm(Operator("switched"), openshift); err != nil {
		t.Fatal(err)
	}
	want := []Patch{
		{Kind: "Deployment", Name: "istiod-switched", Path: []string{"spec", "template", "spec", "containers", "[name:discovery]", "args", "[--monitoringAddr=:15014]"}, Value: "--monitoringAddr=:15999"},
		{Kind: "Service", Name: "istiod-switched", Path: []string{"spec", "ports", "[name:http-monitoring]", "port"}, Value: int64(15999)},
		{Kind: "Deployment", Name: "istiod-switched", Path: []string{"spec", "template", "metadata", "annotations", "prometheus.io/port"}, Value: "15999"},
	}
	if !reflect.DeepEqual(charts.Patches, want) || charts.Istiod["revision"] != "switched" {
		t.Errorf("revision %v, patches %+v", charts.Istiod["revision"], charts.Patches)
	}
}

func TestToHelmRefuses(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"a gateway":            {"components: {ingressGateways: [{name: door, enabled: true}]}", "spec.components.ingressGateways[door]"},
		"a setting":            {"components: {pilot: {k8s: {hpaSpec: {maxReplicas: 2}}}}", "spec.components.pilot.k8s.hpaSpec"},
		"a component":          {"components: {ztunnel: {enabled: true}}", "spec.components.ztunnel"},
		"no istiod":            {"components: {pilot: {enabled: false}}", "spec.components.pilot.enabled"},
		"a variable of a file": {"components: {pilot: {k8s: {env: [{name: A, valueFrom: {}}]}}}", "env[A]"},
		"a field":              {"addonComponents: {}", "spec.addonComponents"},
		"a profile":            {"profile: mine", "the profile mine cannot be read"},
	} {
		_, err := ToHelm([]byte("spec: {"+c.spec+"}"), openshift)
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", name, err, c.want)
		}
	}
}

func TestElements(t *testing.T) {
	for path, want := range map[string][]string{
		"a.b":                       {"a", "b"},
		`annotations.a\.b/c`:        {"annotations", "a.b/c"},
		`m.[name:a.b].x\.y.z`:       {"m", "[name:a.b]", "x.y", "z"},
		"args.[--monitoring=:1.2]":  {"args", "[--monitoring=:1.2]"},
		`windows\path.of`:           {`windows\path`, "of"},
		`spec.template.annotations`: {"spec", "template", "annotations"},
	} {
		if got := elements(path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestPatchManifest(t *testing.T) {
	const rendered = `---
# Source: a comment
kind: Deployment
metadata: {name: istiod}
spec: {template: {spec: {containers: [{name: discovery, args: [discovery, "--monitoringAddr=:15014"]}]}}}
---
kind: Service
metadata: {name: other}
`
	patches := []Patch{
		{"Deployment", "istiod", elements("spec.template.spec.containers.[name:discovery].args.[--monitoringAddr=:15014]"), "--monitoringAddr=:1"},
		{"Deployment", "istiod", []string{"spec", "template", "metadata", "annotations", "prometheus.io/port"}, "1"},
	}
	out, err := PatchManifest([]byte(rendered), patches)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--monitoringAddr=:1\n", "prometheus.io/port: \"1\"", "kind: Service"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for name, patch := range map[string]Patch{
		"another object":  {"Deployment", "istiod-x", []string{"spec"}, 1},
		"another element": {"Deployment", "istiod", elements("spec.template.spec.containers.[name:x].args"), 1},
		"into a string":   {"Deployment", "istiod", elements("metadata.name.x"), 1},
	} {
		if out, err := PatchManifest([]byte(rendered), []Patch{patch}); err == nil {
			t.Errorf("%s: no error, but\n%s", name, out)
		}
	}
}

// realCharts is the folder of charts of the release that this module requires; the test is skipped where it is not
// there.
func realCharts(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").Output()
	charts := filepath.Join(strings.TrimSpace(string(out)), "manifests", "charts")
	if _, statErr := os.Stat(charts); err != nil || statErr != nil {
		t.Skipf("no charts: %v, %v", err, statErr)
	}
	return charts
}

func TestTheReleasesOwnValuesAndProfilesFit(t *testing.T) {
	charts := realCharts(t)
	for _, chart := range []string{"base", "istio-cni", "istio-control/istio-discovery"} {
		content, err := os.ReadFile(filepath.Join(charts, chart, "values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		defaults, err := parseTree(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := fitsAPI(tree{"values": defaults}, chart, false); err != nil {
			t.Error(err)
		}
	}
	profiles, err := filepath.Glob(filepath.Join(filepath.Dir(charts), "profiles", "*.yaml"))
	if err != nil || len(profiles) == 0 {
		t.Fatalf("profiles %q, %v", profiles, err)
	}
	for _, profile := range profiles {
		content, err := os.ReadFile(profile)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := parseTree(content)
		if err != nil {
			t.Fatal(err)
		}
		spec, _ := decoded["spec"].(tree)
		if err := fitsAPI(spec, profile, true); err != nil {
			t.Error(err)
		}
	}
}

func TestProfilesAreBesideTheCharts(t *testing.T) {
	charts := realCharts(t)
	if _, err := ToHelm(Operator("openshift"), ProfileBeside(charts)); err != nil {
		t.Error(err)
	}
}
