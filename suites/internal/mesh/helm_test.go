package mesh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/kube"
)

// rendered is what a step's chart renders, patches included, without a cluster (helm template).
func rendered(ctx context.Context, t *testing.T, charts string, step helmStep) []byte {
	t.Helper()
	loaded, err := loader.Load(filepath.Join(charts, step.chart))
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.ReleaseName, install.Namespace = true, true, step.release, step.namespace
	install.KubeVersion, install.PostRenderer = &chartutil.KubeVersion{Version: "v1.28.15", Major: "1", Minor: "28"}, patcher(step.patches)
	release, err := install.RunWithContext(ctx, loaded, step.values)
	if err != nil {
		t.Fatalf("%s: %v", step.release, err)
	}
	return []byte(release.Manifest)
}

// deployed finds the Deployment of a manifest.
func deployed(t *testing.T, manifest []byte) appsv1.Deployment {
	t.Helper()
	objects, err := kube.ParseManifest(manifest)
	if err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	var found appsv1.Deployment
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &found); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

func TestHelmStepsOfAnOwnChart(t *testing.T) {
	steps, err := helmSteps(Switched(), Switched().Operator, "hub", "tag", filepath.Join("testdata", "charts"))
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 1 || steps[0].release != "istiod-switched" || steps[0].namespace != Namespace {
		t.Fatalf("a revision is installed by %+v", steps)
	}
	made := deployed(t, rendered(t.Context(), t, filepath.Join("testdata", "charts"), steps[0]))
	container := made.Spec.Template.Spec.Containers[0]
	if container.Image != "hub/pilot:tag" || made.Name != "istiod-switched" || made.Spec.Template.Annotations["prometheus.io/port"] != "15999" {
		t.Errorf("got %+v", made)
	}
	if got := strings.Join(container.Args, " "); got != "discovery --monitoringAddr=:15999" {
		t.Errorf("args are %q", got)
	}
	if got := variable(container, "PILOT_DISABLE_MX_ALPN"); got != "true" {
		t.Errorf("PILOT_DISABLE_MX_ALPN is %q", got)
	}

	steps, err = helmSteps(Dataplane(), Dataplane().Operator, "hub", "tag", filepath.Join("testdata", "charts"))
	if err != nil || len(steps) != 2 || steps[0].release != "istio-base" || steps[1].release != "istiod" {
		t.Errorf("the default revision is installed by %+v, %v", steps, err)
	}
}

func variable(of corev1.Container, name string) string {
	for _, variable := range of.Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	return ""
}

// The charts of the release that this module requires render every control plane as istioctl would: with the variables,
// arguments and name that its file has. Skipped where the module is not on this machine.
func TestHelmStepsOfTheRelease(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").Output()
	charts := filepath.Join(strings.TrimSpace(string(out)), "manifests", "charts")
	if _, statErr := os.Stat(charts); err != nil || statErr != nil {
		t.Skipf("no charts: %v, %v", err, statErr)
	}
	planes := append(Beside(), Dataplane(), Native(), ControlPlane{
		Name: "openshift", Operator: controlplane.Operator("openshift"), Proxies: controlplane.SubjectProxies,
	})
	for _, plane := range planes {
		installer := &Installer{Cell: &kindconfig.Cell{}}
		operator, err := installer.Operator(plane)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := helmSteps(plane, operator, "hub", "tag", charts)
		if err != nil {
			t.Errorf("%s: %v", plane.Name, err)
			continue
		}
		for _, step := range steps {
			manifest := rendered(t.Context(), t, charts, step)
			if step.release != plane.Deployment() {
				continue
			}
			made := deployed(t, manifest)
			container := made.Spec.Template.Spec.Containers[0]
			if made.Name != plane.Deployment() || container.Image != "hub/pilot:tag" || container.ImagePullPolicy != corev1.PullNever {
				t.Errorf("%s: Deployment %s with image %s, %s", plane.Name, made.Name, container.Image, container.ImagePullPolicy)
			}
			for name, want := range environment(t, operator) {
				if got := variable(container, name); got != want {
					t.Errorf("%s: %s is %q, want %q", plane.Name, name, got, want)
				}
			}
		}
	}
}

// environment returns the environment variables of istiod that an IstioOperator file sets.
func environment(t *testing.T, operator []byte) map[string]string {
	t.Helper()
	var file struct {
		Spec struct {
			Components struct {
				Pilot struct {
					K8s struct {
						Env []struct{ Name, Value string } `json:"env"`
					} `json:"k8s"`
				} `json:"pilot"`
			} `json:"components"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(operator, &file); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, variable := range file.Spec.Components.Pilot.K8s.Env {
		variables[variable.Name] = variable.Value
	}
	return variables
}
