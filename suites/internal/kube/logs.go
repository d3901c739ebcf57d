package kube

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Logs gives what a container has written since a moment; the zero time means all of it,
// an empty container name the pod's only container. The API server's resolution is a second,
// so the answer may begin up to one second early.
func (c *Client) Logs(ctx context.Context, namespace, pod, container string, since time.Time) (string, error) {
	options := corev1.PodLogOptions{Container: container}
	if !since.IsZero() {
		moment := metav1.NewTime(since.Truncate(time.Second))
		options.SinceTime = &moment
	}
	return c.LogsWith(ctx, namespace, pod, options)
}

// LogsWith is Logs for callers that bound what they read, or ask for a previous container.
func (c *Client) LogsWith(ctx context.Context, namespace, pod string, options corev1.PodLogOptions) (string, error) {
	stream, err := c.Clientset.CoreV1().Pods(namespace).GetLogs(pod, &options).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("logs of %s/%s %s: %w", namespace, pod, options.Container, err)
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return string(text), fmt.Errorf("read logs of %s/%s %s: %w", namespace, pod, options.Container, err)
	}
	return string(text), nil
}
