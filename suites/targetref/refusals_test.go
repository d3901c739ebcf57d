package targetref

import (
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestFieldsOfTargetRefByServedVersion(t *testing.T) {
	schema := func(fields ...string) *apiextensionsv1.CustomResourceValidation {
		reference := apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{}}
		for _, field := range fields {
			reference.Properties[field] = apiextensionsv1.JSONSchemaProps{}
		}
		spec := apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{"targetRef": reference}}
		return &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
			Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": spec},
		}}
	}
	got := fieldsOfTargetRef(&apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{
			{Name: "v1", Served: true, Schema: schema("kind", "name")},
			{Name: "v1beta1", Served: true, Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{}}},
			{Name: "v1alpha1", Served: true},
			{Name: "v1alpha0", Schema: schema("kind")},
		},
	}})
	for _, fields := range got {
		slices.Sort(fields)
	}
	if len(got) != 3 || !slices.Equal(got["v1"], []string{"kind", "name"}) || len(got["v1beta1"]) != 0 || len(got["v1alpha1"]) != 0 {
		t.Errorf("got %v", got)
	}
	if got := fieldsOfTargetRef(&apiextensionsv1.CustomResourceDefinition{}); len(got) != 0 {
		t.Errorf("of no version: %v", got)
	}
}
