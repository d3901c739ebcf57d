package kube

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func deployment(change func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web", Generation: 2},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
	}
	if change != nil {
		change(d)
	}
	return d
}

func TestAvailable(t *testing.T) {
	three, none := int32(3), int32(0)
	cases := map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"all replicas": {nil, true},
		"scaled to zero": {func(d *appsv1.Deployment) {
			d.Spec.Replicas, d.Status = &none, appsv1.DeploymentStatus{ObservedGeneration: 2}
		}, true},
		"a stale status":        {func(d *appsv1.Deployment) { d.Status.ObservedGeneration = 1 }, false},
		"an old pod lives":      {func(d *appsv1.Deployment) { d.Status.Replicas = 2 }, false},
		"not updated yet":       {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 }, false},
		"not available yet":     {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }, false},
		"fewer than asked for":  {func(d *appsv1.Deployment) { d.Spec.Replicas = &three }, false},
		"nothing observed ever": {func(d *appsv1.Deployment) { d.Status = appsv1.DeploymentStatus{} }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := available(deployment(c.change)); got != c.want {
				t.Errorf("available = %v", got)
			}
		})
	}
}

// The API server's cache, from which a watch begins, can be older than the change that the wait is for.
func TestWaitAvailableTakesNoStateFromBeforeItsBeginning(t *testing.T) {
	clientset := fake.NewClientset()
	version := func(number string, change func(*appsv1.Deployment)) *appsv1.Deployment {
		d := deployment(change)
		d.ResourceVersion = number
		return d
	}
	changed := version("100", func(d *appsv1.Deployment) { d.Generation = 3 })
	lists := 0
	clientset.PrependReactor("list", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		lists++
		list := &appsv1.DeploymentList{ListMeta: metav1.ListMeta{ResourceVersion: "99"}, Items: []appsv1.Deployment{*version("99", nil)}}
		if lists == 1 {
			list = &appsv1.DeploymentList{ListMeta: metav1.ListMeta{ResourceVersion: "101"}, Items: []appsv1.Deployment{*changed}}
		}
		return true, list, nil
	})
	events := watch.NewFake()
	clientset.PrependWatchReactor("deployments", func(clienttesting.Action) (bool, watch.Interface, error) { return true, events, nil })
	done := make(chan error, 1)
	go func() { done <- (&Client{Clientset: clientset}).WaitAvailable(t.Context(), "ns", "web") }()
	events.Modify(changed)
	select {
	case err := <-done:
		t.Fatalf("a Deployment that is about to be replaced was taken for available: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	events.Modify(version("102", func(d *appsv1.Deployment) { d.Generation, d.Status.ObservedGeneration = 3, 3 }))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOutdated(t *testing.T) {
	for name, c := range map[string]struct {
		of, since string
		want      bool
	}{
		"older, of fewer digits":      {"99", "100", true},
		"the same":                    {"100", "100", false},
		"newer":                       {"101", "100", false},
		"a version that is no number": {"", "100", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := deployment(func(d *appsv1.Deployment) { d.ResourceVersion = c.of })
			if got := outdated(d, c.since); got != c.want {
				t.Errorf("outdated = %v", got)
			}
		})
	}
}

func waitingPod(name, reason string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name:  "echo",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "no such image here"}},
		}}},
	}
}

func TestStuck(t *testing.T) {
	if err := Stuck(waitingPod("web-1", "ContainerCreating")); err != nil {
		t.Errorf("a starting pod is not stuck: %v", err)
	}
	if err := Stuck(&corev1.Pod{}); err != nil {
		t.Errorf("a pod without statuses is not stuck: %v", err)
	}
	err := Stuck(waitingPod("web-1", "ErrImageNeverPull"))
	if err == nil || !strings.Contains(err.Error(), "ErrImageNeverPull: no such image here") {
		t.Errorf("got %v", err)
	}
	init := waitingPod("web-1", "ErrImageNeverPull")
	init.Status.InitContainerStatuses, init.Status.ContainerStatuses = init.Status.ContainerStatuses, nil
	if Stuck(init) == nil {
		t.Error("an init container that never starts went unseen")
	}
}

func TestWaitAvailableSeesALaterDeployment(t *testing.T) {
	clientset := fake.NewClientset()
	// The fake replays nothing of what came between a list and a watch.
	watched := make(chan struct{})
	open := sync.OnceFunc(func() { close(watched) })
	clientset.PrependWatchReactor("deployments", func(action clienttesting.Action) (bool, watch.Interface, error) {
		events, err := clientset.Tracker().Watch(action.GetResource(), action.GetNamespace())
		open()
		return true, events, err
	})
	client := &Client{Clientset: clientset}
	done := make(chan error, 1)
	go func() { done <- client.WaitAvailable(t.Context(), "ns", "web") }()
	<-watched
	deployments := clientset.AppsV1().Deployments("ns")
	starting := deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 })
	if _, err := deployments.Create(t.Context(), starting, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Update(t.Context(), deployment(nil), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaitAvailableEndsAtOnceForAPodThatNeverStarts(t *testing.T) {
	starting := deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 })
	client := &Client{Clientset: fake.NewClientset(starting, waitingPod("web-1", "ErrImageNeverPull"))}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := client.WaitAvailable(ctx, "ns", "web")
	if err == nil || ctx.Err() != nil {
		t.Fatalf("got %v (%v)", err, ctx.Err())
	}
	for _, want := range []string{"ns/web", "1 replicas, 1 updated, 0 available", "no such image here"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestWaitAvailableSaysWhatItSawLast(t *testing.T) {
	// A stuck pod of another Deployment is none of its business.
	client := &Client{Clientset: fake.NewClientset(waitingPod("other-1", "ErrImageNeverPull"))}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := client.WaitAvailable(ctx, "ns", "web")
	if err == nil || !strings.Contains(err.Error(), "no such Deployment") {
		t.Errorf("got %v", err)
	}
}

func TestProgressNamesWhatFails(t *testing.T) {
	d := deployment(func(d *appsv1.Deployment) {
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "fine"},
		}
	})
	got := progress(d)
	if !strings.Contains(got, "exceeded quota") || strings.Contains(got, "fine") {
		t.Errorf("got %q", got)
	}
}
