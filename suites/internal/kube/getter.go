package kube

import (
	"context"

	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
)

// apiObject is a pointer to an API type.
type apiObject[T any] interface {
	*T
	ctrl.Object
}

// Getter reads an object of the shared cluster, for Eventually and Consistently: a matcher judges
// what it gives. An object that is not there is an error to wait through; a request that can
// never succeed stops the waiting.
func Getter[T any, P apiObject[T]](namespace, name string) func(context.Context) (P, error) {
	return func(ctx context.Context) (P, error) {
		found := P(new(T))
		if err := get(ctx, namespace, name, found); err != nil {
			return nil, err
		}
		return found, nil
	}
}

// Exists is Getter for specs to which only presence or absence matters.
func Exists[T any, P apiObject[T]](namespace, name string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		err := get(ctx, namespace, name, P(new(T)))
		return err == nil, ctrl.IgnoreNotFound(err)
	}
}

func get(ctx context.Context, namespace, name string, into ctrl.Object) error {
	err := Shared().Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into)
	if final(err) {
		return gomega.StopTrying("the request can never succeed").Wrap(err)
	}
	return err
}

// final says whether the same request will be refused again, whatever becomes of the object.
func final(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || meta.IsNoMatchError(err) || runtime.IsNotRegisteredError(err)
}
