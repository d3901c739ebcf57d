// Package diagnose writes down what a failed spec, or a failed provisioning, leaves behind
// before it is cleaned up: objects, events, logs and the configuration of proxies.
package diagnose

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
)

// SummaryFile is the file of a folder to read first.
const SummaryFile = "summary.txt"

// clusterID is the folder's name for what belongs to no spec.
const clusterID = "cluster"

// systemNamespaces are where provisioning can fail.
var systemNamespaces = []string{"kube-system", "metallb-system", "istio-system"}

// parallel bounds the requests under way; the machine has two cores.
const parallel = 8

// Spec writes the folder of a failed spec: the objects, events, logs and proxies of its
// namespaces, what every istiod logged since the spec began and what kube-proxy and CoreDNS did. ctx bounds all of it. What
// could not be collected stands in the summary; err only says that nothing could be written.
func Spec(ctx context.Context, client *kube.Client, root, specID string, namespaces []string, since time.Time) (dir string, err error) {
	c, err := newCollector(client, filepath.Join(root, specID))
	if err != nil {
		return "", err
	}
	return c.dir, c.collect(ctx, "spec "+specID+failureOf(ginkgo.CurrentSpecReport()), namespaces, since)
}

// Cluster writes the folder of a failed provisioning: the system namespaces, the nodes and
// what istiod logged since the provisioning began.
func Cluster(ctx context.Context, client *kube.Client, root string, since time.Time) (dir string, err error) {
	c, err := newCollector(client, filepath.Join(root, clusterID))
	if err != nil {
		return "", err
	}
	c.clusterScoped = true
	return c.dir, c.collect(ctx, "the cluster's provisioning", systemNamespaces, since)
}

// failureOf is how the spec failed, for the head of its summary; empty where it has not.
func failureOf(report ginkgo.SpecReport) string {
	if !report.Failed() {
		return ""
	}
	at := report.FailureLocation()
	return fmt.Sprintf("\n\n%s\nat %s:%d\n", strings.TrimSpace(report.FailureMessage()), filepath.Base(at.FileName), at.LineNumber)
}

// collector gathers into one folder. Every task may fail on its own.
type collector struct {
	client  *kube.Client
	dynamic dynamic.Interface
	// kinds lists the namespaced kinds of the API server.
	kinds func(context.Context) ([]*metav1.APIResourceList, error)
	// admin asks a pod's proxy.
	admin func(ctx context.Context, namespace, pod, path string) ([]byte, error)
	dir   string
	// clusterScoped adds objects that belong to no namespace.
	clusterScoped bool

	mu      sync.Mutex
	notes   []string
	remarks map[string][]string
}

func newCollector(client *kube.Client, dir string) (*collector, error) {
	anything, err := dynamic.NewForConfig(client.Config)
	if err != nil {
		return nil, fmt.Errorf("collect diagnostics into %s: %w", dir, err)
	}
	return &collector{
		client:  client,
		dynamic: anything,
		kinds:   discover(client.Clientset.Discovery()),
		dir:     dir,
		admin: func(ctx context.Context, namespace, pod, path string) ([]byte, error) {
			return proxy.Of(client, namespace, pod).Admin(ctx, path)
		},
	}, nil
}

// task is one bounded piece of the collection; what names it in the summary if it fails.
type task struct {
	what string
	run  func(context.Context) error
}

func (c *collector) collect(ctx context.Context, title string, namespaces []string, since time.Time) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("collect diagnostics: %w", err)
	}
	start := time.Now()
	namespaces = slices.Compact(slices.Sorted(slices.Values(namespaces)))

	// The pods' own words come first: they are cheap, and they are most often the answer.
	head := fmt.Sprintf("Diagnostics of %s\nit began %s, collected from %s\n",
		title, since.UTC().Format(time.RFC3339), start.UTC().Format(time.RFC3339))
	var body strings.Builder
	pods := map[string][]corev1.Pod{}
	for _, namespace := range namespaces {
		list, err := c.pods(ctx, namespace)
		if err != nil {
			c.note("the pods of "+namespace, err)
		}
		pods[namespace] = list
		fmt.Fprintf(&body, "\n== namespace %s: %d pods ==\n%s", namespace, len(list), podsTable(list))
		if lines := describeNotReady(list, c.podEvents(ctx, namespace)); lines != "" {
			head += fmt.Sprintf("\n== not ready in %s ==\n%s", namespace, lines)
		}
	}
	if err := c.write(SummaryFile, []byte(head+body.String())); err != nil {
		return fmt.Errorf("collect diagnostics: %w", err)
	}

	var tasks []task
	for _, namespace := range namespaces {
		tasks = append(tasks, c.logTasks(namespace, pods[namespace])...)
		tasks = append(tasks, c.proxyTasks(namespace, pods[namespace])...)
		tasks = append(tasks, task{"events of " + namespace, func(ctx context.Context) error { return c.events(ctx, namespace) }})
	}
	tasks = append(tasks, c.istiodTasks(ctx, since)...)
	tasks = append(tasks, c.nodeTasks(ctx)...)
	tasks = append(tasks, c.objectTasks(ctx, namespaces)...)
	c.runAll(ctx, tasks)

	return c.finish(head, body.String(), time.Since(start))
}

func (c *collector) runAll(ctx context.Context, tasks []task) {
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, t := range tasks {
		group.Go(func() error {
			// One pod that does not answer must not use up the time of all.
			ctx, cancel := context.WithTimeout(ctx, timing.Request())
			defer cancel()
			if err := t.run(ctx); err != nil {
				c.note(t.what, err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// finish writes the summary again, with what stood out and what could not be collected.
func (c *collector) finish(head, body string, took time.Duration) error {
	var text strings.Builder
	text.WriteString(head + remarked(c.remarks) + body)
	if len(c.notes) == 0 {
		fmt.Fprintf(&text, "\ncomplete, in %s\n", took.Round(time.Millisecond))
	} else {
		slices.Sort(c.notes)
		fmt.Fprintf(&text, "\n== %d things could not be collected, in %s ==\n%s\n",
			len(c.notes), took.Round(time.Millisecond), strings.Join(c.notes, "\n"))
	}
	if err := c.write(SummaryFile, []byte(text.String())); err != nil {
		return fmt.Errorf("collect diagnostics: %w", err)
	}
	return nil
}

// note keeps a partial failure, in one line.
func (c *collector) note(what string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, what+": "+strings.Join(strings.Fields(err.Error()), " "))
}

// write makes a file under the collector's folder, and the folders between.
func (c *collector) write(name string, content []byte) error {
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func (c *collector) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, timing.Request())
	defer cancel()
	list, err := c.client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
