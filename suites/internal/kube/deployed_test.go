package kube

import (
	"reflect"
	"testing"
)

func TestRenameKey(t *testing.T) {
	of := func(key string) map[string]any {
		return map[string]any{
			"spec": map[string]any{"selector": map[string]any{key: "web", "app": "a"}, "list": []any{map[string]any{key: "other"}, "old"}},
		}
	}
	object := of("old")
	if !renameKey(object, "old", "new") || !reflect.DeepEqual(object, of("new")) {
		t.Errorf("got %v", object)
	}
	if renameKey(object, "old", "new") || renameKey(object, "new", "new") || !reflect.DeepEqual(object, of("new")) {
		t.Errorf("nothing was to be renamed in %v", object)
	}
}
