package tcpmetadata

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// bootstrapFile is what the agent writes, and starts the proxy with.
const bootstrapFile = "/etc/istio/proxy/envoy-rev.json"

var _ = Describe("PEER_METADATA_DISCOVERY", Ordered, ContinueOnFailure, Label(catalogue.TCPMetadata), func() {
	var namespace string

	evidence.BeforeAll(func(ctx SpecContext) {
		namespace = kube.NewNamespace(ctx, "tcpmetadata-bootstrap", kube.Injected)
		kube.Apply(ctx, namespace, "tcpmetadata/bootstrap.yaml")
	})

	// await waits for the bootstrap of a workload's sidecar. The workload is not available, since what the
	// agent starts is no proxy.
	await := func(ctx context.Context, app string) bootstrap {
		GinkgoHelper()
		var held bootstrap
		Eventually(ctx, func(ctx context.Context) (err error) {
			held, err = readBootstrap(ctx, namespace, app)
			return err
		}, timing.Rollout(), timing.Poll).Should(Succeed(), "bootstrap file of the sidecar of %s.%s", app, namespace)
		evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- cat %s", namespace, app, sidecar.Container, bootstrapFile)
		evidence.Config("bootstrap extensions of "+app, "%v", held.extensions())
		evidence.Config("statistics kept by "+app, "by prefix %v", held.prefixes())
		evidence.Config("ADS of "+app, "%s", held.DynamicResources.ADSConfig.APIType)
		return held
	}

	It("puts the discovery of workloads into the proxy's bootstrap", spec.ID("tcpmetadata.bootstrap-discovery"), func(ctx SpecContext) {
		held := await(ctx, "discovers")
		Expect(held.extensions()).To(HaveKeyWithValue("metadata_discovery", extension{
			Type: "istio.workload.BootstrapExtension", Value: map[string]any{"config_source": map[string]any{"ads": map[string]any{}}},
		}))
		Expect(held.Node.Metadata).To(HaveKeyWithValue("METADATA_DISCOVERY", "true"), "metadata of the node")
		Expect(held.prefixes()).To(ContainElement("workload_discovery"), "prefixes of the statistics kept")
	})

	It("leaves the bootstrap of a proxy without it as it is", spec.ID("tcpmetadata.bootstrap-without-discovery"), func(ctx SpecContext) {
		held := await(ctx, "without")
		// Without these the file would not be what the proxy is started with.
		Expect(held.extensions()).To(HaveKey("envoy.bootstrap.internal_listener"))
		Expect(held.Node.Metadata).To(HaveKeyWithValue("WORKLOAD_NAME", "without"))
		Expect(held.prefixes()).To(ContainElement("reporter="))

		Expect(held.extensions()).NotTo(HaveKey("metadata_discovery"))
		Expect(held.Node.Metadata).NotTo(HaveKey("METADATA_DISCOVERY"))
		Expect(held.prefixes()).NotTo(ContainElement("workload_discovery"))
	})
})

func readBootstrap(ctx context.Context, namespace, app string) (bootstrap, error) {
	pods, err := kube.Shared().Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return bootstrap{}, err
	}
	if len(pods.Items) != 1 {
		return bootstrap{}, fmt.Errorf("%s/%s has %d pods, not one", namespace, app, len(pods.Items))
	}
	text, _, err := kube.Shared().Exec(ctx, namespace, pods.Items[0].Name, sidecar.Container, "cat", bootstrapFile)
	if err != nil {
		return bootstrap{}, err
	}
	return parseBootstrap([]byte(text))
}
