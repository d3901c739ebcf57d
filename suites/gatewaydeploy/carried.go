package gatewaydeploy

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// metadata is one kind of it, labels or annotations, on each object made for a Gateway.
type metadata map[string]map[string]string

// labelsOf reads the labels of what was made for a Gateway.
func labelsOf(namespace, gateway string) func(context.Context) (metadata, error) {
	return func(ctx context.Context) (metadata, error) {
		made, service, err := madeFor(ctx, namespace, gateway)
		if err != nil {
			return nil, err
		}
		return metadata{"Deployment": made.Labels, "pod template": made.Spec.Template.Labels, "Service": service.Labels}, nil
	}
}

// annotationsOf reads the annotations of what was made for a Gateway.
func annotationsOf(namespace, gateway string) func(context.Context) (metadata, error) {
	return func(ctx context.Context) (metadata, error) {
		made, service, err := madeFor(ctx, namespace, gateway)
		if err != nil {
			return nil, err
		}
		return metadata{"Deployment": made.Annotations, "pod template": made.Spec.Template.Annotations, "Service": service.Annotations}, nil
	}
}

var _ = Describe("The metadata of a Gateway", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployManaged), func() {
	const (
		team    = "example.com/team"
		contact = "example.com/contact"
	)
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "gateway-carried")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/carried.yaml")
		gateway.AwaitManaged(ctx, ns, "web")
	})

	It("is carried to Deployment, pod template and Service", spec.ID("gatewaydeploy.managed.metadata-carried"), func(ctx SpecContext) {
		Expect(labelsOf(ns, "web")(ctx)).To(HaveEach(HaveKeyWithValue(team, "payments")), "label %s of Gateway web is not everywhere", team)
		Expect(annotationsOf(ns, "web")(ctx)).To(HaveEach(HaveKeyWithValue(contact, "payments-on-call")), "annotation %s of Gateway web is not everywhere", contact)
		evidence.Look(ns, "deployment,service", gateway.ManagedName("web"))
		evidence.API("Deployment, pod template and Service", "label %s and annotation %s of Gateway web", team, contact)
	})

	// "Labels that SHOULD be applied to any resources created in response to this Gateway" (Gateway API,
	// GatewayInfrastructure). istiod acts on it in the module of 1.21.3, and not in that of 1.20.1.
	It("in spec.infrastructure is carried to Deployment, pod template and Service",
		spec.ID("gatewaydeploy.managed.infrastructure-carried"), spec.Since("1.21"), func(ctx SpecContext) {
			const label, annotation = "example.com/infrastructure-label", "example.com/infrastructure-annotation"
			gateway.AwaitManaged(ctx, ns, "declared")
			Eventually(ctx, labelsOf(ns, "declared"), timing.Push(), timing.Poll).Should(
				HaveEach(HaveKeyWithValue(label, "declared")), "label %s of spec.infrastructure is not everywhere", label)
			Eventually(ctx, annotationsOf(ns, "declared"), timing.Push(), timing.Poll).Should(
				HaveEach(HaveKeyWithValue(annotation, "declared")), "annotation %s of spec.infrastructure is not everywhere", annotation)
			Expect(labelsOf(ns, "web")(ctx)).To(HaveEach(Not(HaveKey(label))), "label %s reached Gateway web, which lacks it", label)
			evidence.Look(ns, "deployment,service", gateway.ManagedName("declared"))
			evidence.API("Deployment, pod template and Service", "label %s and annotation %s of spec.infrastructure", label, annotation)
		})

	It("is followed when it changes", spec.ID("gatewaydeploy.managed.metadata-follows"), func(ctx SpecContext) {
		kube.Change(ctx, ns, "web", func(found *gatewayv1.Gateway) {
			found.Labels[team] = "billing"
			found.Labels["example.com/added"] = "later"
			delete(found.Annotations, contact)
		})
		Eventually(ctx, labelsOf(ns, "web"), timing.Push(), timing.Poll).Should(HaveEach(SatisfyAll(
			HaveKeyWithValue(team, "billing"), HaveKeyWithValue("example.com/added", "later"),
		)), "changed and added labels of Gateway web do not arrive")
		Eventually(ctx, annotationsOf(ns, "web"), timing.Push(), timing.Poll).Should(HaveEach(Not(HaveKey(contact))), "annotation %s, removed from Gateway web, stays", contact)
		evidence.Look(ns, "deployment,service", gateway.ManagedName("web"))
		evidence.API("Deployment, pod template and Service", "changed and added label arrived, removed annotation %s is gone", contact)
	})
})
