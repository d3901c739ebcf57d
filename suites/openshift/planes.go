// Package openshift shows that Istio runs on OpenShift without the SCC anyuid. The cluster is no OpenShift: its
// namespaces have OpenShift's annotations, and a stand-in for the SCC restricted-v2 assigns and refuses.
package openshift

import (
	"context"
	_ "embed"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
)

var (
	//go:embed openshift.yaml
	onOpenShift []byte
	//go:embed unset.yaml
	unset []byte
	//go:embed before.yaml
	before []byte
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
	Expect(installer().Install(ctx, mesh.ControlPlane{Name: "openshift", Operator: onOpenShift})).To(Succeed())
	cell := session.Job().Cell
	evidence.Replay("kubectl apply --server-side -f %s", cell.GatewayAPICRDs)
	replayInstall("openshift", mesh.Subject(&cell))
	replayInstall(revisionUnset, mesh.Subject(&cell))
	replayInstall(revisionBefore, cell.Control)
}

// replayInstall records how a user installs a release from one of this folder's files.
func replayInstall(file string, of kindconfig.Release) {
	evidence.Replay("istioctl install -y -f suites/openshift/%s.yaml --set hub=%s --set tag=%s # istioctl %s", file, of.Hub, of.Tag, of.Istio)
}

// installControls installs the planes for comparison side by side.
func installControls(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return installer().Install(ctx, mesh.ControlPlane{Name: "openshift-unset", Revision: revisionUnset, Operator: unset})
	})
	group.Go(func() error {
		return installer().Of(session.Job().Cell.Control).
			Install(ctx, mesh.ControlPlane{Name: "openshift-before", Revision: revisionBefore, Operator: before})
	})
	return group.Wait()
}
