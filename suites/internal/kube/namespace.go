package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/timing"
)

// Injected is the label of a namespace whose pods get a sidecar of the default revision.
const Injected = "istio-injection=enabled"

// ownerLabel marks what the suite made, so that a killed run's leftovers can be told apart.
const ownerLabel = "mesh-conformance/owner"

// living are the namespaces of this process that are not gone yet: a process runs one spec
// at a time, so they are those of the current spec and of the container around it.
var living struct {
	sync.Mutex
	names []string
}

// NamespacesOfSpec gives the namespaces of the spec that this process runs, oldest first.
func NamespacesOfSpec() []string {
	living.Lock()
	defer living.Unlock()
	return slices.Clone(living.names)
}

func remember(namespace string) {
	living.Lock()
	defer living.Unlock()
	living.names = append(living.names, namespace)
}

func forget(namespace string) {
	living.Lock()
	defer living.Unlock()
	living.names = slices.DeleteFunc(living.names, func(name string) bool { return name == namespace })
}

// leaving are the namespaces that this process has deleted and not seen gone yet.
var leaving struct {
	sync.Mutex
	names []string
}

// AwaitLeaving waits until every namespace is gone that cleanups of this process have deleted on the shared
// cluster. An error names those that stay, and what holds them.
func AwaitLeaving(ctx context.Context) error {
	leaving.Lock()
	names := leaving.names
	leaving.names = nil
	leaving.Unlock()
	var failed []error
	for _, name := range names {
		failed = append(failed, Shared().WaitGone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	return errors.Join(failed...)
}

// NewNamespace makes a namespace of its own for the current spec or container, on the shared
// cluster, and has it deleted in cleanup, which waits until its pods are gone. Its own end comes five seconds later, by a
// delay of Kubernetes' (pkg/controller/namespace/namespace_controller.go, namespaceDeletionGracePeriod): the suite waits
// for that with AwaitLeaving when all specs have run. Labels are written key=value.
func NewNamespace(ctx context.Context, prefix string, labels ...string) string {
	ginkgo.GinkgoHelper()
	client := Shared()
	name, err := client.CreateNamespace(ctx, prefix, labels...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	remember(name)
	ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
		if !client.Disposable {
			gomega.Expect(client.DeleteNamespace(ctx, name)).To(gomega.Succeed())
			leaving.Lock()
			leaving.names = append(leaving.names, name)
			leaving.Unlock()
		}
		forget(name)
		// More than the wait's own bound, so that its message says what holds the namespace.
	}, ginkgo.NodeTimeout(timing.Longest))

	evidence.Replay("kubectl create namespace %s", name)
	if len(labels) > 0 {
		evidence.Replay("kubectl label namespace %s %s", name, strings.Join(labels, " "))
	}
	return name
}

// AwaitAccount waits for the service account that a controller gives a new namespace. No bare pod is created without, nor in a
// dry run; the API server waits a second or two for it, by itself.
func AwaitAccount(ctx context.Context, namespace string) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, Getter[corev1.ServiceAccount](namespace, "default"), timing.Push(), timing.Poll).ShouldNot(gomega.BeNil(), "service account default of %s", namespace)
}

// CreateNamespace makes a namespace whose name begins with prefix and is used by nobody else.
func (c *Client) CreateNamespace(ctx context.Context, prefix string, labels ...string) (string, error) {
	// The name is drawn here and not by the server, because a retried create must not leave two.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   prefix + "-" + rand.String(5),
		Labels: map[string]string{ownerLabel: "spec"},
	}}
	for _, label := range labels {
		key, value, ok := strings.Cut(label, "=")
		if !ok {
			return "", fmt.Errorf("namespace %s: label %q is not of the form key=value", prefix, label)
		}
		namespace.Labels[key] = value
	}
	if err := c.Client.Create(ctx, namespace); err != nil {
		return "", fmt.Errorf("create namespace %s: %w", namespace.Name, err)
	}
	return namespace.Name, nil
}

// DeleteNamespace deletes a namespace and waits until no pod of it is left.
func (c *Client) DeleteNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := c.Client.Delete(ctx, namespace, ctrl.PropagationPolicy(metav1.DeletePropagationForeground))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	if err := c.hurryPods(ctx, name); err != nil {
		return err
	}
	return c.waitPodsGone(ctx, name)
}

// waitPodsGone waits until a namespace, which takes no new ones, has no pods.
func (c *Client) waitPodsGone(ctx context.Context, namespace string) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Gone())
	defer cancel()
	var last error
	var pods corev1.PodList
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		err := c.Client.List(ctx, &pods, ctrl.InNamespace(namespace))
		// As for WaitGone: a busy API server says nothing about the pods.
		last = err
		if err != nil {
			if final(err) {
				return false, err
			}
			return false, nil
		}
		return len(pods.Items) == 0, nil
	})
	if err != nil {
		return deadline.Missed(fmt.Sprintf("the pods of deleted namespace %s did not go away", namespace), began, left(pods.Items, last), err)
	}
	return nil
}

// left is what a wait for the end of pods saw last: the pods, and why they could not be listed again.
func left(pods []corev1.Pod, failed error) string {
	names := make([]string, len(pods))
	for i, pod := range pods {
		names[i] = pod.Name
	}
	text := fmt.Sprintf("%d pods (%s)", len(pods), strings.Join(names, ", "))
	if failed != nil && !deadline.OutOfTime(failed) {
		text += ", then " + failed.Error()
	}
	return text
}

// hurryPods shortens the grace of a dying namespace's pods: managed gateways have the default
// 30 s and a drain of 5 s, and nobody sends them requests any more. Not zero, which would drop
// the objects before the kubelet has ended the containers.
func (c *Client) hurryPods(ctx context.Context, namespace string) error {
	err := c.Client.DeleteAllOf(ctx, &corev1.Pod{}, ctrl.InNamespace(namespace), ctrl.GracePeriodSeconds(1))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("end the pods of namespace %s: %w", namespace, err)
	}
	return nil
}
