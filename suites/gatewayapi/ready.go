package gatewayapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/timing"
)

// Upstream's base manifests, inside its embedded files.
const (
	gatewayManifest = "base/manifests.yaml"
	meshManifest    = "mesh/manifests.yaml"
)

// ready waits until what a base manifest asks for works: its Deployments are available, its Gateways
// programmed, with their proxies. Upstream's own check takes in whatever else is in the namespaces, the
// Gateways of tests that other lanes run meanwhile, and is content with no pod at all.
func ready(ctx context.Context, c *kube.Client, manifest string) error {
	deployments, gateways, err := baseObjects(manifest)
	if err != nil {
		return err
	}
	for _, gateway := range gateways {
		if err := programmed(ctx, c, gateway); err != nil {
			return err
		}
	}
	for _, deployment := range deployments {
		if err := c.WaitAvailable(ctx, deployment.Namespace, deployment.Name); err != nil {
			return err
		}
	}
	return nil
}

// baseObjects are the names of a base manifest's Deployments, those of its Gateways' proxies included,
// and of its Gateways.
func baseObjects(manifest string) (deployments, gateways []types.NamespacedName, err error) {
	content, err := conformance.Manifests.ReadFile(manifest)
	if err != nil {
		return nil, nil, err
	}
	objects, err := kube.ParseManifest(content)
	if err != nil {
		return nil, nil, fmt.Errorf("upstream's %s: %w", manifest, err)
	}
	for _, object := range objects {
		name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
		switch object.GetKind() {
		case "Deployment":
			deployments = append(deployments, name)
		case "Gateway":
			gateways = append(gateways, name)
			// A managed gateway's Deployment is named <gateway>-<class> (istio 1.20, deploymentcontroller.go).
			name.Name += "-" + mesh.GatewayClass
			deployments = append(deployments, name)
		}
	}
	return deployments, gateways, nil
}

// programmed waits until a Gateway's current generation is programmed.
func programmed(ctx context.Context, c *kube.Client, name types.NamespacedName) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.UpstreamSetup())
	defer cancel()
	last := "nothing"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		var gateway gatewayv1.Gateway
		if err := c.Client.Get(ctx, name, &gateway); err != nil {
			// The read that the deadline ends has seen nothing.
			if !deadline.OutOfTime(err) {
				last = err.Error()
			}
			return false, nil
		}
		condition := meta.FindStatusCondition(gateway.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed))
		if condition == nil {
			last = "no condition Programmed"
			return false, nil
		}
		last = strings.TrimSpace(fmt.Sprintf("Programmed is %s: %s %s", condition.Status, condition.Reason, condition.Message))
		return condition.Status == "True" && condition.ObservedGeneration >= gateway.Generation, nil
	})
	if err != nil {
		return deadline.Missed(fmt.Sprintf("gateway %s did not become programmed", name), begun, last, err)
	}
	return nil
}

// Await waits until upstream's base resources work. A slow machine is given nothing else to do meanwhile: their
// gateways have 30 s to start, which nobody can stretch.
func Await(ctx context.Context, c *kube.Client) error {
	return errors.Join(ready(ctx, c, gatewayManifest), ready(ctx, c, meshManifest))
}
