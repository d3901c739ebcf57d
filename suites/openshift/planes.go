// Package openshift shows that Istio runs on OpenShift without the SCC anyuid. The cluster is no OpenShift: its
// namespaces have OpenShift's annotations, and a stand-in for the SCC restricted-v2 assigns and refuses.
package openshift

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
)

// Revisions of the planes that serve for comparison.
const (
	revisionUnset  = "unset"
	revisionBefore = "before"
)

// installer of the release under test, for the container's own cluster.
func installer() *mesh.Installer {
	return mesh.NewInstaller(session.Job(), kube.Shared(), GinkgoWriter)
}

// installPlane installs the release for OpenShift, after the Gateway API.
func installPlane(ctx context.Context) {
	GinkgoHelper()
	Expect(installer().GatewayAPI(ctx)).To(Succeed())
	Expect(installer().Install(ctx, mesh.ControlPlane{
		Name: "openshift", Operator: controlplane.Operator("openshift"), Proxies: controlplane.SubjectProxies,
	})).To(Succeed())
	cell := session.Job().Cell
	evidence.Replay("kubectl apply --server-side -f %s", cell.GatewayAPICRDs)
	replayInstall("openshift", mesh.Subject(&cell))
	replayInstall("openshift-unset", mesh.Subject(&cell))
	replayInstall("openshift-before", cell.Control)
}

// replayInstall records how a user installs a release from the file of a control plane, which the run's folder has.
func replayInstall(plane string, of kindconfig.Release) {
	evidence.Replay("istioctl install -y -f istio-%s.yaml --set hub=%s --set tag=%s # istioctl %s", plane, of.Hub, of.Tag, of.Istio)
}

// installControls installs the planes for comparison side by side.
func installControls(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return installer().Install(ctx, mesh.ControlPlane{Name: "openshift-unset", Revision: revisionUnset, Operator: controlplane.Operator("openshift-unset")})
	})
	group.Go(func() error {
		return installer().Of(session.Job().Cell.Control).
			Install(ctx, mesh.ControlPlane{Name: "openshift-before", Revision: revisionBefore, Operator: controlplane.Operator("openshift-before")})
	})
	return group.Wait()
}
