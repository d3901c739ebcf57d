package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// envoyBinary is where Istio's images have Envoy, and where pilot-agent looks for it.
const envoyBinary = "/usr/local/bin/envoy"

// readerPod is the name of the pod whose containers are asked, and the prefix of its namespace.
const readerPod = "proxy-extensions"

// Reader runs the Envoys of some images for as long as it takes to ask them what they are.
type Reader struct {
	client    *kube.Client
	namespace string
	images    []string
}

// NewReader starts the Envoy of each image, which the node must have, in one pod of a namespace of its own. The pod
// needs neither a control plane nor the pod network, so that it can run before both. Remove it when they have been
// read.
func NewReader(ctx context.Context, client *kube.Client, images ...string) (*Reader, error) {
	begun := time.Now()
	namespace, err := client.CreateNamespace(ctx, readerPod)
	if err != nil {
		return nil, err
	}
	r := &Reader{client: client, namespace: namespace, images: images}
	pod := pod(namespace, images)
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	// In a new cluster the default ServiceAccount appears late, and the API server rejects pods until then.
	seen := "nothing"
	err = wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		_, err := client.Clientset.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		if err != nil && !deadline.OutOfTime(err) {
			seen = err.Error()
		}
		return err == nil, nil
	})
	if err != nil {
		return r, deadline.Missed("the pod that runs the release's Envoy was not created", begun, seen, err)
	}
	return r, nil
}

// Facts waits until every Envoy has answered, and gives what each says of itself, in the order of the images. One
// that does not start is an error with the reason that Kubernetes has.
func (r *Reader) Facts(ctx context.Context) ([]kindconfig.ProxyFacts, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	facts := make([]kindconfig.ProxyFacts, len(r.images))
	seen := "nothing"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		pod, err := r.client.Clientset.CoreV1().Pods(r.namespace).Get(ctx, readerPod, metav1.GetOptions{})
		if err == nil {
			if err := kube.Stuck(pod); err != nil {
				return false, err
			}
			if err := ended(pod); err != nil {
				return false, err
			}
			err = r.ask(ctx, pod, facts)
		}
		if err != nil && !deadline.OutOfTime(err) {
			seen = err.Error()
		}
		return err == nil, nil
	})
	if err != nil {
		return nil, deadline.Missed("Envoy did not say which extensions it has", begun, seen, err)
	}
	return facts, nil
}

// ask fills in the facts that are missing, of containers that run.
func (r *Reader) ask(ctx context.Context, pod *corev1.Pod, facts []kindconfig.ProxyFacts) error {
	running := map[string]bool{}
	for _, status := range pod.Status.ContainerStatuses {
		running[status.Name] = status.State.Running != nil
	}
	var missing error
	for i, image := range r.images {
		if facts[i].Extensions != nil {
			continue
		}
		if !running[containerOf(i)] {
			missing = errors.Join(missing, fmt.Errorf("the container of %s does not run yet", image))
			continue
		}
		found, err := factsOf(ctx, At(r.client, r.namespace, readerPod, adminPort+i))
		if err != nil {
			missing = errors.Join(missing, fmt.Errorf("%s: %w", image, err))
			continue
		}
		facts[i] = found
	}
	return missing
}

// factsOf asks one Envoy.
func factsOf(ctx context.Context, of Proxy) (kindconfig.ProxyFacts, error) {
	extensions, err := of.Extensions(ctx)
	if err != nil {
		return kindconfig.ProxyFacts{}, err
	}
	version, err := of.Version(ctx)
	if err != nil {
		return kindconfig.ProxyFacts{}, err
	}
	return kindconfig.ProxyFacts{Version: version, Extensions: extensions.Names()}, nil
}

// Remove deletes the pod and its namespace, and waits until the pod is gone.
func (r *Reader) Remove(ctx context.Context) error { return r.client.DeleteNamespace(ctx, r.namespace) }

// ended is why a container ended, nil while all run or will.
func ended(pod *corev1.Pod) error {
	for _, status := range pod.Status.ContainerStatuses {
		if end := status.State.Terminated; end != nil {
			return fmt.Errorf("the Envoy of %s ended with exit code %d: %s %s",
				status.Image, end.ExitCode, end.Reason, end.Message)
		}
	}
	return nil
}

func containerOf(image int) string { return fmt.Sprintf("envoy-%d", image) }

// pod runs Envoys with nothing but an admin interface. They share the node's network, which is there before the pods'
// is, and each has a port of its own.
func pod(namespace string, images []string) *corev1.Pod {
	var containers []corev1.Container
	for i, image := range images {
		containers = append(containers, corev1.Container{
			Name: containerOf(i), Image: image, ImagePullPolicy: corev1.PullNever,
			Command: []string{envoyBinary},
			Args: []string{
				"--config-yaml",
				fmt.Sprintf("admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}", adminPort+i),
				"--service-node", readerPod, "--service-cluster", readerPod,
				// Containers of a pod share the memory by which Envoys would find each other.
				"--disable-hot-restart", "--concurrency", "1", "--log-level", "error",
			},
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("16Mi"),
			}},
		})
	}
	user, grace, off := int64(1337), int64(1), false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: readerPod,
			Labels: map[string]string{"sidecar.istio.io/inject": "false"},
		},
		Spec: corev1.PodSpec{
			Containers: containers, RestartPolicy: corev1.RestartPolicyNever, HostNetwork: true,
			AutomountServiceAccountToken: &off, TerminationGracePeriodSeconds: &grace,
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &user},
			// A node without a pod network is tainted as not ready.
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
}
