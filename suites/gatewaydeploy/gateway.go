// Package gatewaydeploy holds the specs of the gateways that istiod deploys by itself, and the
// smoke test of the mesh beside them: injection, mutual TLS, authorization.
package gatewaydeploy

import (
	"context"
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
)

// requests is how many requests one measurement makes.
const requests = 20

// deployedIn names every Deployment and Service of a namespace: what istiod made for a Gateway that it
// should have left alone shows, whatever name it gave it.
func deployedIn(namespace string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		client := kube.Shared().Client
		var deployments appsv1.DeploymentList
		if err := client.List(ctx, &deployments, ctrl.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list what is deployed in %s: %w", namespace, err)
		}
		var services corev1.ServiceList
		if err := client.List(ctx, &services, ctrl.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list what is deployed in %s: %w", namespace, err)
		}
		var names []string
		for _, found := range deployments.Items {
			names = append(names, "Deployment "+found.Name)
		}
		for _, found := range services.Items {
			names = append(names, "Service "+found.Name)
		}
		return names, nil
	}
}

// beOnlyThatOf holds for what is deployed if it is what istiod makes for that one Gateway.
func beOnlyThatOf(name string) types.GomegaMatcher {
	return HaveExactElements("Deployment "+gateway.ManagedName(name), "Service "+gateway.ManagedName(name))
}

// madeFor reads what istiod made for a Gateway.
func madeFor(ctx context.Context, namespace, name string) (*appsv1.Deployment, *corev1.Service, error) {
	made, err := gateway.Deployment(namespace, name)(ctx)
	if err != nil {
		return nil, nil, err
	}
	exposed, err := gateway.Service(namespace, name)(ctx)
	return made, exposed, err
}
