package gatewayapi

import (
	"context"
	"fmt"
	"io"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/upstream"
)

// The namespaces of upstream's base manifests (conformance/base, conformance/mesh).
const (
	infra        = "gateway-conformance-infra"
	appBackend   = "gateway-conformance-app-backend"
	webBackend   = "gateway-conformance-web-backend"
	meshApps     = "gateway-conformance-mesh"
	meshConsumer = "gateway-conformance-mesh-consumer"
)

var (
	gatewayNamespaces = []string{infra, appBackend, webBackend}
	meshNamespaces    = []string{meshApps, meshConsumer}
)

// newSuite is upstream's suite as one spec uses it: all features, upstream's default timeouts, which a slow machine
// stretches, three successes in a row, and, as in Istio's own run, no pool of static addresses. Setup is never
// called on it: apply does that once for all processes.
func newSuite(c *kube.Client) *suite.ConformanceTestSuite {
	// An empty TimeoutConfig would leave RequiredConsecutiveSuccesses at 0 (gateway-api pull request 5036).
	s := suite.New(suite.Options{
		Client: c.Client, Clientset: c.Clientset, RestConfig: c.Config,
		GatewayClassName:  mesh.GatewayClass,
		SupportedFeatures: sets.New(suite.AllFeatures.UnsortedList()...),
		TimeoutConfig:     timeouts(timing.Factor()),
	})
	s.ControllerName = session.Known().GatewayController
	s.Applier.FS = s.FS
	s.Applier.GatewayClass = s.GatewayClassName
	s.Applier.ControllerName = s.ControllerName
	return s
}

// certificate is a self-signed certificate that upstream's Setup makes (conformance/utils/suite/suite.go).
type certificate struct {
	namespace, name string
	hosts           []string
}

var certificates = []certificate{
	{webBackend, "certificate", []string{"*"}},
	{infra, "tls-validity-checks-certificate", []string{"*", "*.org"}},
	{infra, "tls-passthrough-checks-certificate", []string{"abc.example.com"}},
	{appBackend, "tls-passthrough-checks-certificate", []string{"abc.example.com"}},
}

// Apply creates upstream's base resources, once for a cluster, and does not wait for them. It is
// upstream's Setup in another order: the certificates come before the pods that mount them, which would
// wait for the kubelet's retry otherwise. Sidecars go to the mesh namespaces only.
func Apply(ctx context.Context, c *kube.Client, log io.Writer) error {
	outcome, err := upstream.Run("Setup", log, func(t *testing.T) {
		gateways, injected := newSuite(c), newSuite(c)
		injected.Applier.NamespaceLabels = map[string]string{"istio-injection": "enabled"}
		for _, name := range gatewayNamespaces {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			gateways.Applier.MustApplyObjectsWithCleanup(t, c.Client, gateways.TimeoutConfig, []client.Object{namespace}, false)
		}
		for _, certificate := range certificates {
			secret := kubernetes.MustCreateSelfSignedCertSecret(t, certificate.namespace, certificate.name, certificate.hosts)
			gateways.Applier.MustApplyObjectsWithCleanup(t, c.Client, gateways.TimeoutConfig, []client.Object{secret}, false)
		}
		injected.Applier.MustApplyWithCleanup(t, c.Client, injected.TimeoutConfig, injected.MeshManifests, false)
		gateways.Applier.MustApplyWithCleanup(t, c.Client, gateways.TimeoutConfig, gateways.BaseManifests, false)
	})
	if err != nil {
		return err
	}
	if outcome.Failed {
		return fmt.Errorf("upstream's base resources could not be applied; its output is above")
	}
	return ctx.Err()
}
