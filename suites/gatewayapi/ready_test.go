package gatewayapi

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestBaseObjects(t *testing.T) {
	deployments, gateways, err := baseObjects(gatewayManifest)
	if err != nil {
		t.Fatal(err)
	}
	if len(gateways) != 4 || len(deployments) != 8+4 {
		t.Errorf("%d Gateways and %d Deployments, upstream's base has 4 and 8: %v", len(gateways), len(deployments), deployments)
	}
	if proxy := (types.NamespacedName{Namespace: infra, Name: "same-namespace-istio"}); !slices.Contains(deployments, proxy) {
		t.Errorf("%s is not waited for", proxy)
	}
	deployments, gateways, err = baseObjects(meshManifest)
	if err != nil || len(gateways) != 0 || len(deployments) != 3 {
		t.Errorf("mesh: %v, %v, %v; want 3 Deployments", deployments, gateways, err)
	}
	if _, _, err := baseObjects("base/none.yaml"); err == nil {
		t.Error("a manifest that does not exist is no error")
	}
}
