package diagnose

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
)

// Bounds of one container's log; the end of a log says more than its beginning.
const (
	logLines = 5000
	logBytes = 4 << 20
)

// logTasks read every container that has run, and what ran in it before.
func (c *collector) logTasks(namespace string, pods []corev1.Pod) []task {
	var tasks []task
	for _, pod := range pods {
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses) {
			// A container that never ran has no log, and asking for it is an error that tells nothing.
			if status.State.Running != nil || status.State.Terminated != nil {
				tasks = append(tasks, c.logTask(namespace, pod.Name, corev1.PodLogOptions{Container: status.Name}))
			}
			if status.RestartCount > 0 {
				tasks = append(tasks, c.logTask(namespace, pod.Name, corev1.PodLogOptions{Container: status.Name, Previous: true}))
			}
		}
	}
	return tasks
}

func (c *collector) logTask(namespace, pod string, options corev1.PodLogOptions) task {
	lines, bytes := int64(logLines), int64(logBytes)
	options.TailLines, options.LimitBytes, options.Timestamps = &lines, &bytes, true
	name := fmt.Sprintf("%s/logs/%s.%s", namespace, pod, options.Container)
	if options.Previous {
		name += ".previous"
	}
	return task{"the log " + name, func(ctx context.Context) error {
		text, err := c.client.LogsWith(ctx, namespace, pod, options)
		if text != "" || err == nil {
			if written := c.write(name+".log", []byte(text)); written != nil {
				return written
			}
		}
		return err
	}}
}

// The pods of a control plane and their container.
const (
	istiodSelector  = "app=istiod"
	istiodContainer = "discovery"
)

// istiodTasks read what each control plane logged since a moment and, if it restarted, before.
func (c *collector) istiodTasks(ctx context.Context, since time.Time) []task {
	pods, err := c.labelled(ctx, istiodSelector)
	if err == nil && len(pods) == 0 {
		c.remark(remarkIstiod, "there is no pod of an istiod")
	}
	var tasks []task
	for _, pod := range pods {
		name := "istiod/" + pod.Name + ".log"
		tasks = append(tasks, task{name, func(ctx context.Context) error {
			text, err := c.client.Logs(ctx, pod.Namespace, pod.Name, istiodContainer, since)
			if err != nil {
				return err
			}
			c.remark(remarkIstiod, complaints(pod.Name, text)...)
			return c.write(name, []byte(text))
		}})
		for _, status := range pod.Status.ContainerStatuses {
			if status.RestartCount > 0 {
				tasks = append(tasks, c.logTask(pod.Namespace, pod.Name, corev1.PodLogOptions{Container: status.Name, Previous: true}))
			}
		}
	}
	return tasks
}

// nodeServices are what leads requests of every namespace: the programmer of Services, whose log says whether its
// rules are late, and the resolver of names, whose log has the names that nobody answered for.
var nodeServices = []struct{ selector, container string }{
	{"k8s-app=kube-proxy", "kube-proxy"},
	{"k8s-app=kube-dns", "coredns"},
}

// nodeTasks read all that these have logged; it is little.
func (c *collector) nodeTasks(ctx context.Context) []task {
	var tasks []task
	for _, service := range nodeServices {
		// An error is noted already.
		pods, _ := c.labelled(ctx, service.selector)
		for _, pod := range pods {
			name := fmt.Sprintf("%s/%s.log", service.container, pod.Name)
			tasks = append(tasks, task{name, func(ctx context.Context) error {
				text, err := c.client.Logs(ctx, pod.Namespace, pod.Name, service.container, time.Time{})
				if err != nil {
					return err
				}
				return c.write(name, []byte(text))
			}})
		}
	}
	return tasks
}

// labelled lists the pods of all namespaces that a selector finds. An error is noted already.
func (c *collector) labelled(ctx context.Context, selector string) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, timing.Request())
	defer cancel()
	list, err := c.client.Clientset.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		c.note("the list of pods with "+selector, err)
		return nil, err
	}
	return list.Items, nil
}

// proxyFiles are what is asked of every proxy.
var proxyFiles = []struct{ path, suffix string }{
	{"/config_dump?include_eds", "config_dump.json"},
	{"/clusters", "clusters.txt"},
	{"/stats?usedonly", "stats.txt"},
}

func (c *collector) proxyTasks(namespace string, pods []corev1.Pod) []task {
	var tasks []task
	for _, pod := range pods {
		if !proxy.Runs(&pod) {
			continue
		}
		for _, file := range proxyFiles {
			name := fmt.Sprintf("%s/proxies/%s.%s", namespace, pod.Name, file.suffix)
			tasks = append(tasks, task{name, func(ctx context.Context) error {
				content, err := c.admin(ctx, namespace, pod.Name, file.path)
				if err != nil {
					return err
				}
				return c.write(name, content)
			}})
		}
	}
	return tasks
}
