package diagnose

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"
)

// clusterResources are the objects without a namespace that a failed provisioning shows in.
var clusterResources = []schema.GroupVersionResource{
	{Version: "v1", Resource: "nodes"},
	{Version: "v1", Resource: "namespaces"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gatewayclasses"},
}

// objectTasks list every kind the API server has, Gateway API and Istio included.
func (c *collector) objectTasks(ctx context.Context, namespaces []string) []task {
	var tasks []task
	list := func(resource schema.GroupVersionResource, namespace string) {
		folder := "cluster-scoped"
		if namespace != "" {
			folder = namespace + "/objects"
		}
		name := fmt.Sprintf("%s/%s.yaml", folder, resource.GroupResource())
		tasks = append(tasks, task{name, func(ctx context.Context) error { return c.objects(ctx, resource, namespace, name) }})
	}
	for _, resource := range c.namespacedResources(ctx) {
		for _, namespace := range namespaces {
			list(resource, namespace)
		}
	}
	if c.clusterScoped {
		for _, resource := range clusterResources {
			list(resource, "")
		}
	}
	return tasks
}

// namespacedResources asks for what can be listed, each in its preferred version. An API
// group that does not answer, for example of a webhook that is down, costs only itself.
func (c *collector) namespacedResources(ctx context.Context) []schema.GroupVersionResource {
	lists, err := c.kinds(ctx)
	if err != nil {
		c.note("some kinds of objects", err)
	}
	var resources []schema.GroupVersionResource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			c.note("the kinds of "+list.GroupVersion, err)
			continue
		}
		for _, resource := range list.APIResources {
			// Events have a file of their own, sorted by time.
			if resource.Name == "events" || !slices.Contains(resource.Verbs, "list") {
				continue
			}
			resources = append(resources, version.WithResource(resource.Name))
		}
	}
	return resources
}

// discover asks for the kinds of the API server. The client's discovery knows no context, so
// it is waited for from outside.
func discover(client discovery.DiscoveryInterface) func(context.Context) ([]*metav1.APIResourceList, error) {
	return func(ctx context.Context) ([]*metav1.APIResourceList, error) {
		type answer struct {
			lists []*metav1.APIResourceList
			err   error
		}
		answered := make(chan answer, 1)
		go func() {
			lists, err := client.ServerPreferredNamespacedResources()
			answered <- answer{lists, err}
		}()
		select {
		case a := <-answered:
			return a.lists, a.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// objects writes all objects of one kind; a kind without any leaves no file.
func (c *collector) objects(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) error {
	list, err := c.dynamic.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		// Not installed yet, or removed since discovery.
		return nil
	}
	if err != nil || len(list.Items) == 0 {
		return err
	}
	var text bytes.Buffer
	for i := range list.Items {
		list.Items[i].SetManagedFields(nil)
		c.remark(remarkConditions, unmet(&list.Items[i])...)
		if resource.GroupResource() == secrets {
			redact(&list.Items[i])
		}
		document, err := yaml.Marshal(list.Items[i].Object)
		if err != nil {
			return err
		}
		text.WriteString("---\n")
		text.Write(document)
	}
	return c.write(name, text.Bytes())
}

// lastApplied is where kubectl keeps a whole copy of what it applied, a Secret's data included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// secrets are the objects whose content must not leave the cluster.
var secrets = schema.GroupResource{Resource: "secrets"}

// redact leaves of a Secret its keys and their sizes.
func redact(object *unstructured.Unstructured) {
	annotations := object.GetAnnotations()
	delete(annotations, lastApplied)
	object.SetAnnotations(annotations)
	for _, field := range []string{"data", "stringData"} {
		data, ok := object.Object[field].(map[string]any)
		if !ok {
			continue
		}
		for key, value := range data {
			data[key] = fmt.Sprintf("[redacted, %d bytes]", size(value))
		}
	}
}

func size(value any) int {
	text, _ := value.(string)
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
		return len(decoded)
	}
	return len(text)
}
