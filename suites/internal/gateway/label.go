package gateway

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// NameLabel is the label by which the subject's istiod has a managed gateway's Service select its pods: what was read
// from a Service that it made, or the name that Istio has for it up to 1.21 where none was read.
func NameLabel() string { return session.Known().NameLabel() }

// ReadNameLabel waits until istiod has made a Service for any Gateway and returns the label with the Gateway's name
// in the Service's selector.
func ReadNameLabel(ctx context.Context, client *kube.Client) (string, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Push())
	defer cancel()
	label, seen := "", "no Service of a Gateway"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		var services corev1.ServiceList
		if err := client.Client.List(ctx, &services); err != nil {
			if !deadline.OutOfTime(err) {
				seen = err.Error()
			}
			return false, nil
		}
		label = nameLabel(services.Items)
		seen = fmt.Sprintf("none of %d Services selects pods by the name of its Gateway", len(services.Items))
		return label != "", nil
	})
	if err != nil {
		return "", deadline.Missed("istiod made no Service for a Gateway", begun, seen, err)
	}
	return label, nil
}

// nameLabel finds a Service that a Gateway owns and returns the label of its selector that has the Gateway's name,
// empty where there is none.
func nameLabel(services []corev1.Service) string {
	for _, service := range services {
		for _, owner := range service.OwnerReferences {
			if owner.Kind != "Gateway" {
				continue
			}
			for label, value := range service.Spec.Selector {
				if value == owner.Name {
					return label
				}
			}
		}
	}
	return ""
}
