package gatewaydeploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
)

// sidecarImage reads from the values of istiod's injector which image a sidecar must have.
func sidecarImage(values string) (string, error) {
	var installed struct {
		Global struct {
			Hub   string `json:"hub"`
			Tag   any    `json:"tag"`
			Proxy struct {
				Image string `json:"image"`
			} `json:"proxy"`
		} `json:"global"`
	}
	if err := json.Unmarshal([]byte(values), &installed); err != nil {
		return "", fmt.Errorf("read the injector's values: %w", err)
	}
	global := installed.Global
	if strings.Contains(global.Proxy.Image, "/") {
		return global.Proxy.Image, nil
	}
	if global.Hub == "" || global.Proxy.Image == "" || global.Tag == nil {
		return "", fmt.Errorf("the injector's values name no proxy image: hub %q, image %q, tag %v", global.Hub, global.Proxy.Image, global.Tag)
	}
	return fmt.Sprintf("%s/%s:%v", global.Hub, global.Proxy.Image, global.Tag), nil
}

// installedSidecarImage asks the cluster's injector of the default revision.
func installedSidecarImage(ctx context.Context) (string, error) {
	config, err := kube.Getter[corev1.ConfigMap]("istio-system", "istio-sidecar-injector")(ctx)
	if err != nil {
		return "", fmt.Errorf("find the injector's values: %w", err)
	}
	return sidecarImage(config.Data["values"])
}

// containers names a pod's containers.
func containers(pod *corev1.Pod) []string {
	var names []string
	for _, container := range pod.Spec.Containers {
		names = append(names, container.Name)
	}
	return names
}

var _ = Describe("Injection", Label(catalogue.GatewayDeployMeshSmoke), func() {
	It("gives pods of a labelled namespace the sidecar that istiod was installed with", spec.ID("gatewaydeploy.mesh-smoke.injects-labelled-namespace"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "mesh-injected", kube.Injected)
		pod := echo.Deploy(ctx, ns, "client")["client"].Pod
		want, err := installedSidecarImage(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(containers(pod)).To(ContainElement(sidecar.Container), "pod %s has no sidecar", pod.Name)
		Expect(pod.Spec.Containers).To(ContainElement(SatisfyAll(HaveField("Name", sidecar.Container), HaveField("Image", want))), "the sidecar's image")

		By("asking the sidecar itself")
		version, err := proxy.Of(kube.Shared(), ns, pod.Name).Version(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(version).NotTo(BeEmpty())
		evidence.Look(ns, "pod", "--selector app=client")
		evidence.Replay("kubectl exec -n %s deploy/client -c %s -- pilot-agent request GET server_info", ns, sidecar.Container)
		evidence.API("pod "+pod.Name, "containers %v, sidecar image %s", containers(pod), want)
		evidence.Config("sidecar", "Envoy %s", version)
	})

	It("adds no container to pods of a namespace without an injection label", spec.ID("gatewaydeploy.mesh-smoke.leaves-unlabelled-namespace"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "mesh-outside")
		pod := echo.Deploy(ctx, ns, "client")["client"].Pod
		Expect(containers(pod)).To(HaveExactElements(echo.Container), "containers of pod %s", pod.Name)
		Expect(pod.Spec.InitContainers).To(BeEmpty(), "init containers of pod %s", pod.Name)
		evidence.Look(ns, "pod", "--selector app=client")
		evidence.API("pod "+pod.Name, "containers %v", containers(pod))
	})
})
