package filterorder

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
)

// node is a proxy of a namespace that the stock plane is asked for. Addresses and labels are those of
// fixtures/filterorder/services.yaml.
func node(kind xds.Kind, namespace string) xds.Node {
	asked := xds.Node{Kind: kind, Namespace: namespace, IstioVersion: session.Job().Cell.Istio}
	switch kind {
	case xds.Sidecar:
		asked.Pod, asked.IP = "server", "198.51.100.10"
	case xds.Router:
		asked.Pod, asked.IP = "edge", "198.51.100.20"
	}
	asked.Labels = map[string]string{"app": "filterorder-" + asked.Pod}
	return asked
}

// given are the filters that the stock plane gives the proxies of a namespace.
type given struct {
	namespace string
	snapshots map[xds.Kind]*xds.Snapshot
}

// ask takes a snapshot of what proxies of these kinds get.
func ask(ctx context.Context, namespace string, kinds ...xds.Kind) (given, error) {
	stock := mesh.Stock()
	answer := given{namespace: namespace, snapshots: map[xds.Kind]*xds.Snapshot{}}
	for _, kind := range kinds {
		snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, stock.Revision, node(kind, namespace))
		if err != nil {
			return given{}, fmt.Errorf("the plane %s, a %s: %w", stock.Name, kind, err)
		}
		answer.snapshots[kind] = snapshot
	}
	return answer, nil
}

// at are the filters of a place.
func (g given) at(from place) ([]step, error) {
	return stepsAt(g.snapshots[from.kind], g.namespace, from)
}

// must is at for a place that has to be there; it records what it gives.
func (g given) must(from place) []step {
	GinkgoHelper()
	steps, err := g.at(from)
	Expect(err).NotTo(HaveOccurred())
	evidence.Config(from.name, "%s", strings.Join(names(steps), then))
	return steps
}

// present is what await wants of places whose services and servers have to be there, whatever they run.
func present(places ...place) map[place]types.GomegaMatcher {
	want := map[place]types.GomegaMatcher{}
	for _, at := range places {
		want[at] = Not(BeEmpty())
	}
	return want
}

// await asks the stock plane until each place has the filters that the matcher wants; their order it leaves
// to the specs, which judge the answer that it returns.
func await(ctx context.Context, namespace string, want map[place]types.GomegaMatcher) given {
	GinkgoHelper()
	Expect(mesh.Await(ctx, kube.Shared(), mesh.Stock())).To(Succeed())
	var kinds []xds.Kind
	for _, kind := range []xds.Kind{xds.Sidecar, xds.Router} {
		for at := range want {
			if at.kind == kind {
				kinds = append(kinds, kind)
				break
			}
		}
	}
	var answer given
	Eventually(ctx, func(g Gomega, ctx context.Context) {
		latest, err := ask(ctx, namespace, kinds...)
		g.Expect(err).NotTo(HaveOccurred())
		for at, matcher := range want {
			steps, err := latest.at(at)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(names(steps)).To(matcher, "filters of %s, plane stock", at.name)
		}
		answer = latest
	}, timing.Push(), timing.Poll).Should(Succeed(), "filters that the istiod of control plane stock serves for namespace %s", namespace)
	for _, kind := range kinds {
		replayAsk(node(kind, namespace))
	}
	return answer
}

// replayAsk records how a user asks the stock plane the same.
func replayAsk(asked xds.Node) {
	evidence.Replay("kubectl port-forward -n %s deploy/%s 15010 & grpcurl -plaintext -d '%s' localhost:15010 %s",
		mesh.Namespace, mesh.Stock().Deployment(),
		fmt.Sprintf(`{"node":{"id":%q,"metadata":{"ISTIO_VERSION":%q,"NAMESPACE":%q,"LABELS":{"app":%q}}},"typeUrl":"type.googleapis.com/envoy.config.listener.v3.Listener"}`,
			asked.ID(), asked.IstioVersion, asked.Namespace, asked.Labels["app"]),
		"envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources")
}
