package kube

import (
	"context"
	"fmt"
	"path"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/evidence"
)

// Admitted gives what the cluster would make of a fixture of one object, after all webhooks, the
// injector among them. Nothing is created, nothing starts.
func Admitted[T any, P apiObject[T]](ctx context.Context, namespace, fixture string) P {
	ginkgo.GinkgoHelper()
	evidence.Replay("%s", admitCommand(namespace, fixture))
	object, err := Admit[T, P](ctx, namespace, fixture)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "create %s in a dry run", fixture)
	return object
}

// Admit is Admitted for specs that judge a refusal, too: it is the error.
func Admit[T any, P apiObject[T]](ctx context.Context, namespace, fixture string) (P, error) {
	objects, err := fixtures.Objects(fixture)
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 {
		return nil, fmt.Errorf("the fixture %s has %d objects, a dry run takes one", fixture, len(objects))
	}
	asDeployed(objects)
	object := P(new(T))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[0].Object, object); err != nil {
		return nil, fmt.Errorf("read the fixture %s: %w", fixture, err)
	}
	object.SetNamespace(namespace)
	if err := Shared().Client.Create(ctx, object, ctrl.DryRunAll); err != nil {
		return nil, err
	}
	return object, nil
}

// admitCommand is how a user repeats an Admitted.
func admitCommand(namespace, fixture string) string {
	return fmt.Sprintf("kubectl create --dry-run=server -n %s -f %s -o yaml", namespace, path.Join(fixtures.Root, fixture))
}
