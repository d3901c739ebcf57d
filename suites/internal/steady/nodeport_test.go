package steady

import (
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReach(t *testing.T) {
	port := func(number, node int32) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web-istio"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
			{Port: 15021, NodePort: 30001}, {Port: number, NodePort: node},
		}}}
	}
	nodes := []corev1.Node{{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "node"}, {Type: corev1.NodeInternalIP, Address: "10.0.0.2"},
	}}}}
	if address, url, err := reach(port(80, 30080), nodes); err != nil || address != "10.0.0.2" || url != "http://server:30080/" {
		t.Errorf("got %s, %s, %v", address, url, err)
	}
	for name, err := range map[string]error{
		"no such port":    third(reach(port(81, 30080), nodes)),
		"not on the node": third(reach(port(80, 0), nodes)),
		"no node":         third(reach(port(80, 30080), nil)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func third(_, _ string, err error) error { return err }

func TestAccepts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	url := "http://server:" + port + "/"
	if err := accepts(t.Context(), "127.0.0.1", url); err != nil {
		t.Errorf("a port that accepts connections: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := accepts(t.Context(), "127.0.0.1", url); err == nil {
		t.Error("a port that refuses connections counts as one that accepts them")
	}
}
