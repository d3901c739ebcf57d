package upgrade

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/gateway"
)

func TestDeclaredIn(t *testing.T) {
	const without = `{name: v1beta1, schema: {openAPIV3Schema: {properties: {spec: {properties: {rules: {type: array}}}}}}}`
	const with = `{name: v1, schema: {openAPIV3Schema: {properties: {spec: {properties: {targetRef: {type: object}}}}}}}`
	for name, test := range map[string]struct {
		content string
		want    bool
		fails   bool
	}{
		"in its one version":   {`spec: {versions: [` + with + `]}`, true, false},
		"in every version":     {`spec: {versions: [` + with + `, ` + with + `]}`, true, false},
		"in none":              {`spec: {versions: [` + without + `]}`, false, false},
		"in one of two":        {`spec: {versions: [` + with + `, ` + without + `]}`, false, false},
		"no version":           {`spec: {versions: []}`, false, true},
		"nothing":              {`kind: CustomResourceDefinition`, false, true},
		"versions of no shape": {`spec: {versions: [v1]}`, false, true},
	} {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(test.content), &object); err != nil {
			t.Fatal(err)
		}
		got, err := declaredIn(&unstructured.Unstructured{Object: object}, "targetRef")
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestRevisionsAreNamedByTheirVersion(t *testing.T) {
	plane, err := beside(kindconfig.Release{Istio: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Spec struct {
			Revision   string         `json:"revision"`
			MeshConfig map[string]any `json:"meshConfig"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(plane.Operator, &content); err != nil {
		t.Fatal(err)
	}
	if plane.Revision != "1-2-3" || content.Spec.Revision != "1-2-3" || plane.Deployment() != "istiod-1-2-3" || content.Spec.MeshConfig == nil {
		t.Errorf("got %+v with %+v", plane, content)
	}
	if inPlace().Deployment() != "istiod" {
		t.Errorf("in place: %s", inPlace().Deployment())
	}
}

func TestWorkloadOf(t *testing.T) {
	for want, labels := range map[string]map[string]string{
		"client": {"app": "client"},
		"web":    {"app": "other", gateway.NameLabel(): "web"},
		"":       nil,
	} {
		if got := workloadOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels}}); got != want {
			t.Errorf("%v: got %q, want %q", labels, got, want)
		}
	}
	if got := (fleet{"web": "2", "client": "1"}).String(); got != "client 1, web 2" {
		t.Errorf("a fleet is %q", got)
	}
}

func TestChangeOf(t *testing.T) {
	pod := func(uid types.UID, restarts int32, going bool) corev1.Pod {
		made := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "client-1", UID: uid}}
		made.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "echo"}, {Name: "istio-proxy", RestartCount: restarts}}
		if going {
			made.DeletionTimestamp = &metav1.Time{}
		}
		return made
	}
	was := pod("a", 0, false)
	for want, among := range map[string][]corev1.Pod{
		"":                  {pod("b", 1, true), pod("a", 0, false)},
		"client-1 is gone":  {pod("b", 0, false)},
		"client-1 is going": {pod("a", 0, true)},
		"container istio-proxy of client-1 has restarted": {pod("a", 1, false)},
	} {
		if got := changeOf(&was, among); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestDeclaredAmongTheCRDsOfARelease(t *testing.T) {
	parse := func(content string) *unstructured.Unstructured {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(content), &object); err != nil {
			t.Fatal(err)
		}
		return &unstructured.Unstructured{Object: object}
	}
	const versions = `, spec: {versions: [{name: v1, schema: {openAPIV3Schema: {properties: {spec: {properties: {%s: {type: object}}}}}}}]}}`
	of := func(name, field string) *unstructured.Unstructured {
		return parse(fmt.Sprintf(`{kind: CustomResourceDefinition, metadata: {name: %s}`+versions, name, field))
	}
	for name, c := range map[string]struct {
		crds        []*unstructured.Unstructured
		want, fails bool
	}{
		"the CRD has the field":     {[]*unstructured.Unstructured{of("other", "rules"), of("policies", "targetRef")}, true, false},
		"another CRD has the field": {[]*unstructured.Unstructured{of("other", "targetRef"), of("policies", "rules")}, false, false},
		"no CRD of the name":        {[]*unstructured.Unstructured{of("other", "targetRef")}, false, true},
	} {
		got, err := declaredAmong(c.crds, "policies", "targetRef")
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
