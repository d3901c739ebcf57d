package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The paths of the program; the webhooks of the API server name the first two.
const (
	assignPath   = "/assign"
	validatePath = "/validate"
	readyPath    = "/readyz"
)

// largest is how much of a request is read: etcd keeps no object above it.
const largest = 4 << 20

// lookup gives the annotations of a namespace.
type lookup func(ctx context.Context, namespace string) (map[string]string, error)

// handler answers the API server's questions about new pods.
func handler(annotations lookup) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+readyPath, func(http.ResponseWriter, *http.Request) {})
	for path, decide := range map[string]func(*corev1.Pod, allotment) (*admissionv1.AdmissionResponse, error){
		assignPath: assigned, validatePath: validated,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var review admissionv1.AdmissionReview
			if err := json.NewDecoder(io.LimitReader(r.Body, largest)).Decode(&review); err != nil || review.Request == nil {
				http.Error(w, fmt.Sprintf("not an admission review: %v", err), http.StatusBadRequest)
				return
			}
			response, err := answer(r.Context(), review.Request, annotations, decide)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			response.UID = review.Request.UID
			review.Request, review.Response = nil, response
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(review)
		})
	}
	return mux
}

// answer judges one request; an error is a fault of this program or of its surroundings, not of the pod.
func answer(ctx context.Context, request *admissionv1.AdmissionRequest, annotations lookup,
	decide func(*corev1.Pod, allotment) (*admissionv1.AdmissionResponse, error),
) (*admissionv1.AdmissionResponse, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, fmt.Errorf("read the pod: %w", err)
	}
	of, err := annotations(ctx, request.Namespace)
	if err != nil {
		return nil, fmt.Errorf("read the namespace %s: %w", request.Namespace, err)
	}
	allotment, err := allotted(of)
	if err != nil {
		return refusal(fmt.Sprintf("namespace %s: %v", request.Namespace, err)), nil
	}
	return decide(&pod, allotment)
}

// validated admits a pod or says everything that is wrong with it.
func validated(pod *corev1.Pod, of allotment) (*admissionv1.AdmissionResponse, error) {
	if found := violations(&pod.Spec, of); len(found) > 0 {
		return refusal(strings.Join(found, "; ")), nil
	}
	return &admissionv1.AdmissionResponse{Allowed: true}, nil
}

func refusal(words string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: "restricted-v2: " + words,
	}}
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// assigned patches the security contexts only, whole: add replaces what is there.
func assigned(pod *corev1.Pod, of allotment) (*admissionv1.AdmissionResponse, error) {
	assign(&pod.Spec, of)
	patch := []operation{{"add", "/spec/securityContext", pod.Spec.SecurityContext}}
	for i := range pod.Spec.InitContainers {
		patch = append(patch, operation{"add", fmt.Sprintf("/spec/initContainers/%d/securityContext", i), pod.Spec.InitContainers[i].SecurityContext})
	}
	for i := range pod.Spec.Containers {
		patch = append(patch, operation{"add", fmt.Sprintf("/spec/containers/%d/securityContext", i), pod.Spec.Containers[i].SecurityContext})
	}
	content, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	kind := admissionv1.PatchTypeJSONPatch
	return &admissionv1.AdmissionResponse{Allowed: true, Patch: content, PatchType: &kind}, nil
}
