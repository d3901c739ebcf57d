package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/timing"
)

// WaitAvailable watches a Deployment, which need not exist yet, until all its replicas are of
// its current template and available, for at most timing.Rollout. A pod that will never start ends the wait at once, with
// the pod's own message.
func (c *Client) WaitAvailable(ctx context.Context, namespace, name string) error {
	return c.WaitAvailableWithin(ctx, timing.Rollout(), namespace, name)
}

// WaitAvailableWithin is WaitAvailable for another limit.
func (c *Client) WaitAvailableWithin(ctx context.Context, limit time.Duration, namespace, name string) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	// Waiting for the watch of the pods to end keeps it from outliving its spec.
	podsWatched := make(chan struct{})
	defer func() { fail(nil); <-podsWatched }()
	// Pods come after their Deployment; seen first, it is told of when one of them ends the wait.
	seen, saw := context.WithCancel(ctx)
	defer saw()
	go func() {
		defer close(podsWatched)
		<-seen.Done()
		if err := c.watchStuckPods(ctx, namespace, name); err != nil {
			fail(err)
		}
	}()

	var last *appsv1.Deployment
	deployments := c.Clientset.AppsV1().Deployments(namespace)
	// Before the watch: whatever the caller has changed until now is in it.
	since, err := newest(ctx, deployments.List, name)
	if err != nil {
		return deadline.Missed(fmt.Sprintf("deployment %s/%s cannot be read", namespace, name), began, "", err)
	}
	source := listWatch(fields.OneTermEqualSelector(metav1.ObjectNameField, name), deployments.List, deployments.Watch)
	_, err = watchtools.UntilWithSync(ctx, c.watched(source), &appsv1.Deployment{}, nil, func(event watch.Event) (bool, error) {
		deployment, ok := event.Object.(*appsv1.Deployment)
		if ok && outdated(deployment, since) {
			return false, nil
		}
		if !ok || event.Type == watch.Deleted {
			last = nil
			return false, nil
		}
		last = deployment
		saw()
		return available(deployment), nil
	})
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		err = cause
	}
	return deadline.Missed(fmt.Sprintf("deployment %s/%s did not become available", namespace, name), began, progress(last), err)
}

// DeploymentState returns a Deployment's state in one line, or why it cannot be read, for messages.
func (c *Client) DeploymentState(ctx context.Context, namespace, name string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timing.Request())
	defer cancel()
	deployment, err := c.Clientset.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		deployment, err = nil, nil
	}
	if err != nil {
		return fmt.Sprintf("deployment %s/%s: unknown (%v)", namespace, name, err)
	}
	return fmt.Sprintf("deployment %s/%s: %s", namespace, name, progress(deployment))
}

// watchStuckPods ends with an error when a pod of the Deployment will never start, and without
// one when ctx ends.
func (c *Client) watchStuckPods(ctx context.Context, namespace, deployment string) error {
	var found error
	pods := c.Clientset.CoreV1().Pods(namespace)
	source := listWatch(fields.Everything(), pods.List, pods.Watch)
	_, _ = watchtools.UntilWithSync(ctx, c.watched(source), &corev1.Pod{}, nil, func(event watch.Event) (bool, error) {
		pod, ok := event.Object.(*corev1.Pod)
		if ok && event.Type != watch.Deleted && strings.HasPrefix(pod.Name, deployment+"-") {
			found = Stuck(pod)
		}
		return found != nil, nil
	})
	return found
}

// watched has the informer fall back to list and watch where the client cannot stream a list.
func (c *Client) watched(source *cache.ListWatch) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(source, c.Clientset)
}

// listWatch makes an informer's source of a typed client's List and Watch.
func listWatch[L runtime.Object](selector fields.Selector,
	list func(context.Context, metav1.ListOptions) (L, error),
	watcher func(context.Context, metav1.ListOptions) (watch.Interface, error),
) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector.String()
			return list(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector.String()
			return watcher(ctx, options)
		},
	}
}

// newest gives the resource version of the Deployment as etcd has it, or where there is none that of the list without it.
// An informer begins with what the API server has in its cache, which on a busy machine is older than the caller's last
// change by seconds: the Deployment that the change replaces is available there.
func newest(ctx context.Context, list func(context.Context, metav1.ListOptions) (*appsv1.DeploymentList, error), name string) (string, error) {
	version := ""
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		found, err := list(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()})
		if err != nil {
			if final(err) {
				return false, err
			}
			return false, nil
		}
		version = found.ResourceVersion
		if len(found.Items) > 0 {
			version = found.Items[0].ResourceVersion
		}
		return true, nil
	})
	return version, err
}

// outdated says whether a Deployment is older than a resource version. Versions of one resource are in order
// (k8s.io/apimachinery/pkg/util/resourceversion); where one cannot be read as a number, nothing is outdated.
func outdated(deployment *appsv1.Deployment, since string) bool {
	order, err := resourceversion.CompareResourceVersion(deployment.ResourceVersion, since)
	return err == nil && order < 0
}

// available says whether the Deployment's current template is what runs, everywhere.
func available(deployment *appsv1.Deployment) bool {
	want := int32(1)
	if deployment.Spec.Replicas != nil {
		want = *deployment.Spec.Replicas
	}
	status := deployment.Status
	return status.ObservedGeneration >= deployment.Generation &&
		status.UpdatedReplicas == want && status.AvailableReplicas == want && status.Replicas == want
}

// progress is the state of a Deployment in one line; nil is one that does not exist.
func progress(deployment *appsv1.Deployment) string {
	if deployment == nil {
		return "no such Deployment"
	}
	status := deployment.Status
	line := fmt.Sprintf("%d replicas, %d updated, %d available", status.Replicas, status.UpdatedReplicas, status.AvailableReplicas)
	for _, condition := range status.Conditions {
		if condition.Status != corev1.ConditionTrue || condition.Type == appsv1.DeploymentReplicaFailure {
			line += fmt.Sprintf("; %s %s: %s", condition.Type, condition.Reason, condition.Message)
		}
	}
	return line
}

// hopeless are the waiting reasons that time does not cure: no image can be pulled at run time.
var hopeless = map[string]bool{
	"ErrImageNeverPull": true,
	"ErrImagePull":      true,
	"ImagePullBackOff":  true,
	"InvalidImageName":  true,
}

// Stuck gives the message of a container that will never start, nil where there is none.
func Stuck(pod *corev1.Pod) error {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			if waiting := status.State.Waiting; waiting != nil && hopeless[waiting.Reason] {
				return fmt.Errorf("pod %s, container %s: %s: %s", pod.Name, status.Name, waiting.Reason, waiting.Message)
			}
		}
	}
	return nil
}

// WaitGone waits until an object no longer exists.
func (c *Client) WaitGone(ctx context.Context, object ctrl.Object) error {
	ctx, cancel := context.WithTimeout(ctx, timing.Gone())
	defer cancel()
	kind := fmt.Sprintf("%T", object)
	if gvk, err := c.Client.GroupVersionKindFor(object); err == nil {
		kind = gvk.Kind
	}
	key := ctrl.ObjectKeyFromObject(object)
	began := time.Now()
	var last error
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		err := c.Client.Get(ctx, key, object)
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		// An API server that is busy says nothing about the object: only what cannot heal stops.
		if final(err) {
			return false, err
		}
		last = err
		return false, nil
	})
	if err != nil {
		return deadline.Missed(fmt.Sprintf("%s %s did not go away", kind, key), began, seen(object, last), err)
	}
	return nil
}

// seen is what a wait for the end of an object saw last: the object, or why it could not be read.
func seen(object ctrl.Object, failed error) string {
	if failed != nil && !deadline.OutOfTime(failed) {
		return failed.Error()
	}
	text := "it exists"
	if object.GetDeletionTimestamp() != nil {
		text = fmt.Sprintf("it is being deleted since %s", object.GetDeletionTimestamp().UTC().Format(time.TimeOnly))
	}
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		text += ", finalizers " + strings.Join(finalizers, ", ")
	}
	return text + remains(object)
}

// remains tells what holds a namespace back: its conditions name the objects and finalizers.
func remains(object ctrl.Object) string {
	namespace, ok := object.(*corev1.Namespace)
	if !ok {
		return ""
	}
	var held []string
	for _, condition := range namespace.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			held = append(held, condition.Message)
		}
	}
	if len(held) == 0 {
		return ""
	}
	return " (" + strings.Join(held, "; ") + ")"
}
