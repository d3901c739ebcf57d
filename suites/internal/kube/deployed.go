package kube

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"mesh-conformance/suites/internal/session"
)

// asDeployed puts the names that the subject's istiod chooses into fixtures, which have those of Istio 1.20. It reports
// whether it changed an object.
func asDeployed(objects []*unstructured.Unstructured) (changed bool) {
	for _, object := range objects {
		if renameKey(object.Object, session.GatewayNameLabel, session.Known().NameLabel()) {
			changed = true
		}
	}
	return changed
}

// renameKey renames a key of every mapping in a value, in place.
func renameKey(value any, from, to string) (changed bool) {
	switch of := value.(type) {
	case map[string]any:
		for _, element := range of {
			changed = renameKey(element, from, to) || changed
		}
		if found, has := of[from]; has && from != to {
			delete(of, from)
			of[to], changed = found, true
		}
	case []any:
		for _, element := range of {
			changed = renameKey(element, from, to) || changed
		}
	}
	return changed
}
