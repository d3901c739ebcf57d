package loadbalancer

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"net/netip"
	"testing"
)

func TestPool(t *testing.T) {
	for subnet, want := range map[string]string{
		"172.18.0.0/16":  "172.18.255.128/26",
		"172.31.16.0/20": "172.31.31.128/26",
		"192.168.5.0/24": "192.168.5.128/26",
		"192.168.5.0/25": "",
	} {
		got, err := pool(netip.MustParsePrefix(subnet))
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("pool(%s) = %s, %v, want %q", subnet, got, err, want)
		}
	}
}

func TestParseSubnet(t *testing.T) {
	subnet, err := parseSubnet([]byte(`[{"IPAM":{"Config":[{"Subnet":"fc00:f853::/64"},{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.1"}]}}]`))
	if err != nil || subnet.String() != "172.18.0.0/16" {
		t.Errorf("got %v, %v", subnet, err)
	}
	for _, bad := range []string{`[]`, `[{"IPAM":{"Config":[{"Subnet":"fc00::/64"}]}}]`, `no JSON`} {
		if _, err := parseSubnet([]byte(bad)); err == nil {
			t.Errorf("parseSubnet(%s) found a subnet", bad)
		}
	}
}

func TestAdapt(t *testing.T) {
	workload := func(containers any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"kind": "Deployment", "metadata": map[string]any{"name": "controller"},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}}}
	}
	good := workload([]any{map[string]any{"readinessProbe": map[string]any{"initialDelaySeconds": int64(10), "timeoutSeconds": int64(1)}}})
	if err := adapt([]*unstructured.Unstructured{good}); err != nil {
		t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(good.Object, "spec", "template", "spec", "containers")
	probe := containers[0].(map[string]any)["readinessProbe"].(map[string]any)
	if probe["initialDelaySeconds"] != int64(0) || probe["timeoutSeconds"] != int64(10) {
		t.Errorf("readiness probe is %v", probe)
	}
	for name, bad := range map[string]*unstructured.Unstructured{"no list": workload("none"), "no map": workload([]any{"none"})} {
		if err := adapt([]*unstructured.Unstructured{bad}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
