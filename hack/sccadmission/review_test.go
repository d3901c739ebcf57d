package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	openPod = `{"metadata":{"name":"p"},"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"c"}]}}`
	rootPod = `{"spec":{"containers":[{"name":"c","securityContext":{"runAsUser":0}}]}}`
)

// ask sends a review of a pod in a namespace that is allotted users, or in one that is not.
func ask(t *testing.T, path, namespace, pod string) (int, *admissionv1.AdmissionResponse) {
	t.Helper()
	serve := handler(func(_ context.Context, namespace string) (map[string]string, error) {
		switch namespace {
		case "allotted":
			return map[string]string{annotationUsers: "100/100", annotationGroups: "300/10"}, nil
		case "gone":
			return nil, errors.New("no such namespace")
		}
		return nil, nil
	})
	review := admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{UID: "u", Namespace: namespace, Object: runtime.RawExtension{Raw: []byte(pod)}}}
	body, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	serve.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	if recorder.Code != http.StatusOK {
		return recorder.Code, nil
	}
	var answered admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answered); err != nil || answered.Response == nil || answered.Response.UID != "u" {
		t.Fatalf("%s, %v", recorder.Body, err)
	}
	return recorder.Code, answered.Response
}

func TestValidate(t *testing.T) {
	const good = `{"spec":{"securityContext":{"fsGroup":300},"containers":[{"name":"c","securityContext":
		{"runAsUser":100,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`
	for name, c := range map[string]struct{ namespace, pod, says string }{
		"a good pod":             {"allotted", good, ""},
		"root":                   {"allotted", rootPod, "restricted-v2: the pod has no fsGroup; container c: runAsUser 0 is not in 100-199"},
		"a namespace of nothing": {"other", good, "restricted-v2: namespace other: annotation " + annotationUsers},
	} {
		_, response := ask(t, validatePath, c.namespace, c.pod)
		switch {
		case response == nil:
			t.Errorf("%s: no answer", name)
		case response.Allowed != (c.says == ""):
			t.Errorf("%s: allowed is %v", name, response.Allowed)
		case c.says != "" && !strings.HasPrefix(response.Result.Message, c.says):
			t.Errorf("%s: %q, want %q", name, response.Result.Message, c.says)
		}
	}
}

func TestAssign(t *testing.T) {
	_, response := ask(t, assignPath, "allotted", openPod)
	if response == nil || !response.Allowed || response.PatchType == nil {
		t.Fatalf("%+v", response)
	}
	var patch []struct {
		Op, Path string
		Value    struct{ RunAsUser, FSGroup *int64 }
	}
	if err := json.Unmarshal(response.Patch, &patch); err != nil || len(patch) != 3 {
		t.Fatalf("%s, %v", response.Patch, err)
	}
	for i, path := range []string{"/spec/securityContext", "/spec/initContainers/0/securityContext", "/spec/containers/0/securityContext"} {
		if patch[i].Op != "add" || patch[i].Path != path {
			t.Errorf("operation %d is %+v, want %s", i, patch[i], path)
		}
		if user := patch[i].Value.RunAsUser; i > 0 && (user == nil || *user != 100) {
			t.Errorf("%s: no user, or another than 100", path)
		}
	}
	if group := patch[0].Value.FSGroup; group == nil || *group != 300 {
		t.Error("no fsGroup, or another than 300")
	}
	if _, response := ask(t, assignPath, "other", openPod); response == nil || response.Allowed {
		t.Errorf("a namespace of nothing: %+v", response)
	}
}

func TestFaultsAreNoVerdict(t *testing.T) {
	if code, _ := ask(t, validatePath, "gone", rootPod); code != http.StatusInternalServerError {
		t.Errorf("a namespace that cannot be read: %d", code)
	}
	if code, _ := ask(t, validatePath, "allotted", `"pod"`); code != http.StatusInternalServerError {
		t.Errorf("no pod: %d", code)
	}
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"no review": {http.MethodPost, validatePath, "{}", http.StatusBadRequest},
		"no JSON":   {http.MethodPost, assignPath, "<", http.StatusBadRequest},
		"readiness": {http.MethodGet, readyPath, "", http.StatusOK},
		"elsewhere": {http.MethodGet, "/", "", http.StatusNotFound},
	} {
		recorder := httptest.NewRecorder()
		handler(nil).ServeHTTP(recorder, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if recorder.Code != c.want {
			t.Errorf("%s: %d, want %d", name, recorder.Code, c.want)
		}
	}
}
