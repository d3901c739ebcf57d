// Package echo deploys the workloads that specs send requests from and to, and tells what they
// answered. Answers are values; package match judges them.
package echo

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/grpc"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// trustDomain is Istio's default, which the suite's meshes keep.
const trustDomain = "cluster.local"

// Container is the name of the container that fixtures give the echo program.
const Container = "echo"

// Port is the HTTP port that the container itself listens on.
const Port = 8080

// forwarderPort is where the echo program of a workload that sends requests is told to, over gRPC. No Service has it, and
// no proxy sees what is said there: it is reached from inside the pod.
const forwarderPort = 7070

// Workload is one deployed echo workload. Its Service has port 80 for HTTP and 9090 for TCP.
type Workload struct {
	Namespace string
	Name      string
	// Pod is the workload's one pod.
	Pod *corev1.Pod

	cluster cluster
}

// cluster is what a workload needs of a kube.Client.
type cluster interface {
	SharedGRPC(namespace, pod string, port int) (grpc.ClientConnInterface, error)
	ServiceAddress(ctx context.Context, namespace, name string) (string, error)
}

// Deploy applies fixtures/echo/<name>.yaml for each name and waits until all of them are available. Proxies of the
// namespace, which has to be one where Istio's CRDs are known, let go of connections before the echo server does.
func Deploy(ctx context.Context, namespace string, names ...string) map[string]*Workload {
	ginkgo.GinkgoHelper()
	kube.Apply(ctx, namespace, "echo/connections.yaml")
	// All start at once: the waits overlap.
	for _, name := range names {
		kube.Apply(ctx, namespace, path.Join("echo", name+".yaml"))
	}
	return Await(ctx, namespace, names...)
}

// Await waits until echo workloads that a fixture of another folder has brought are available. Each is a
// Deployment with one pod, whose label app is the Deployment's name.
func Await(ctx context.Context, namespace string, names ...string) map[string]*Workload {
	ginkgo.GinkgoHelper()
	workloads := map[string]*Workload{}
	for _, name := range names {
		workload, err := await(ctx, kube.Shared(), namespace, name)
		gomega.Expect(err).NotTo(gomega.HaveOccurred(), func() string {
			return diagnose.PodsNotReady(ctx, kube.Shared(), namespace)
		})
		workloads[name] = workload
	}
	return workloads
}

func await(ctx context.Context, client *kube.Client, namespace, name string) (*Workload, error) {
	if err := podsCanBeMade(ctx, client.Clientset, namespace, name); err != nil {
		return nil, err
	}
	if err := client.WaitAvailable(ctx, namespace, name); err != nil {
		return nil, err
	}
	pods, err := client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{"app": name}.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("find the pod of %s/%s: %w", namespace, name, err)
	}
	if len(pods.Items) != 1 {
		return nil, fmt.Errorf("workload %s/%s has %d pods, not one", namespace, name, len(pods.Items))
	}
	return &Workload{Namespace: namespace, Name: name, Pod: &pods.Items[0], cluster: client}, nil
}

// podsCanBeMade waits until a Deployment has a pod, or until it is plain that it gets none: where a
// webhook refuses or does not answer, the ReplicaSet's complaint need not be waited out for the time
// that a rollout may take.
func podsCanBeMade(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	begun := time.Now()
	var refused *appsv1.DeploymentCondition
	err := wait.PollUntilContextTimeout(ctx, timing.Poll, timing.Push(), true, func(ctx context.Context) (bool, error) {
		deployment, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Errorf("read deployment %s/%s: %w", namespace, name, err)
		}
		refused = nil
		for i, condition := range deployment.Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
				refused = &deployment.Status.Conditions[i]
			}
		}
		return deployment.Status.Replicas > 0, nil
	})
	if err != nil && refused != nil {
		what := fmt.Sprintf("deployment %s/%s did not get a pod", namespace, name)
		return deadline.Missed(what, begun, refused.Reason+": "+refused.Message, err)
	}
	if wait.Interrupted(err) && ctx.Err() == nil {
		// Slow, but not refused: the rollout's own wait goes on.
		return nil
	}
	return err
}

// URL is a path on the workload's HTTP port, by its Service's full name.
func (w *Workload) URL(path string) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local%s", w.Name, w.Namespace, path)
}

// DirectURL is a path on the HTTP port of the workload's pod itself. It is for callers without a sidecar, to whom the node's rules
// for a Service may come after everything else that a spec waits for.
func (w *Workload) DirectURL(path string) string {
	return fmt.Sprintf("http://%s:%d%s", w.Pod.Status.PodIP, Port, path)
}

// SPIFFE is the identity that the mesh gives the workload.
func (w *Workload) SPIFFE() string {
	return fmt.Sprintf("spiffe://%s/ns/%s/sa/%s", trustDomain, w.Namespace, w.Name)
}
