package steady

import (
	"context"
	"fmt"
	"net"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/timing"
)

// first is how many requests have to come through before a stream begins.
const first = 5

// Through begins a stream from this machine to a Service's port 80 on the node, once requests come through. They are
// for the host server. It takes no command in a pod, whose end or output a busy machine may lose.
func Through(ctx context.Context, namespace, name, service string) *Requests {
	GinkgoHelper()
	visitor, url := NodePort(ctx, namespace, service)
	Eventually(ctx, func(ctx context.Context) (echo.Answers, error) { return visitor.Send(ctx, url, first) },
		timing.Push(), timing.Poll).Should(match.HaveStatus(200), name)
	visitor.Patience = timing.Patience()
	return Start(ctx, name, Visitor{Visitor: visitor}, url)
}

// NodePort returns how this machine reaches port 80 of a Service by a port of the node, for which no load balancer is needed. It waits
// until the node accepts connections to the port: before kube-proxy has written its rules, the node refuses them itself, which tells
// nothing about the workload.
func NodePort(ctx context.Context, namespace, name string) (visitor echo.Visitor, target string) {
	GinkgoHelper()
	service, err := kube.Getter[corev1.Service](namespace, name)(ctx)
	Expect(err).NotTo(HaveOccurred())
	nodes, err := kube.Shared().Clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	visitor.Address, target, err = reach(service, nodes.Items)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, accepts, timing.Push(), timing.Poll).WithArguments(visitor.Address, target).
		Should(Succeed(), "the node's port for Service %s/%s does not accept connections", namespace, name)
	return visitor, target
}

// accepts returns why a connection to the port of a URL at an address is not accepted.
func accepts(ctx context.Context, address, target string) error {
	parsed, err := url.Parse(target)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{Timeout: timing.Request()}).DialContext(ctx, "tcp", net.JoinHostPort(address, parsed.Port()))
	if err != nil {
		return err
	}
	return conn.Close()
}

func reach(service *corev1.Service, nodes []corev1.Node) (address, url string, err error) {
	for _, port := range service.Spec.Ports {
		if port.Port == 80 && port.NodePort != 0 {
			url = fmt.Sprintf("http://server:%d/", port.NodePort)
		}
	}
	if url == "" {
		return "", "", fmt.Errorf("service %s has no port of the node for its port 80", service.Name)
	}
	for _, node := range nodes {
		for _, found := range node.Status.Addresses {
			if found.Type == corev1.NodeInternalIP {
				return found.Address, url, nil
			}
		}
	}
	return "", "", fmt.Errorf("none of %d nodes has an address", len(nodes))
}
