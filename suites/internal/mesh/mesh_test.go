package mesh

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

func TestComplaint(t *testing.T) {
	for said, want := range map[string]string{
		"✔ Istio core installed\nError: failed to install manifests: boom\n\n": "Error: failed to install manifests: boom",
		"one\ntwo\n": "two",
	} {
		if got := complaint(said); got != want {
			t.Errorf("complaint(%q) = %q, want %q", said, got, want)
		}
	}
}

func TestNotInstalled(t *testing.T) {
	const state = "deployment istio-system/istiod: 1 replicas, 1 updated, 0 available"
	killed, exit := errors.New("signal: killed"), errors.New("exit status 1")
	for name, c := range map[string]struct {
		failed, expired error
		output, want    string
	}{
		"killed at its deadline": {
			killed, context.DeadlineExceeded, "- Processing resources\n- Pruning removed resources\n",
			"istioctl install of control plane x did not end within 4m0s; last seen: " + state + "; its last line: - Pruning removed resources",
		},
		"killed at its deadline, without a word": {
			killed, context.DeadlineExceeded, "", "istioctl install of control plane x did not end within 4m0s; last seen: " + state + "; its last line: nothing",
		},
		"its own time-out": {
			exit, nil, "Error: failed to install manifests: errors occurred: resources not ready after 2m0s: timed out waiting for the condition\n",
			"istioctl install of control plane x did not see its resources become ready within 4m0s; last seen: " + state +
				"; its last line: Error: failed to install manifests: errors occurred: resources not ready after 2m0s: timed out waiting for the condition",
		},
		"a refusal": {exit, nil, "Error: unknown field\n", "istioctl install of control plane x failed: exit status 1: Error: unknown field; " + state},
		"killed by someone else": {
			killed, nil, "- Processing resources\n", "istioctl install of control plane x failed: signal: killed: - Processing resources; " + state,
		},
	} {
		if got := notInstalled("istioctl", "x", time.Now().Add(-4*time.Minute), c.failed, c.expired, c.output, state).Error(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestTrusted(t *testing.T) {
	webhook := func(bundle string) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{Name: "w", ClientConfig: admissionv1.WebhookClientConfig{CABundle: []byte(bundle)}}
	}
	if err := trusted(&admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{webhook("pem")}}); err != nil {
		t.Errorf("a webhook with a bundle: %v", err)
	}
	for name, webhooks := range map[string][]admissionv1.MutatingWebhook{"none": nil, "one lacks it": {webhook("pem"), webhook("")}} {
		if trusted(&admissionv1.MutatingWebhookConfiguration{Webhooks: webhooks}) == nil {
			t.Errorf("%s: trusted", name)
		}
	}
}

// The stock plane must keep the release's defaults for everything a proxy is sent.
func TestPlanes(t *testing.T) {
	for _, plane := range []ControlPlane{Dataplane(), Stock()} {
		var operator struct {
			Spec struct {
				Revision   string `json:"revision"`
				Components struct {
					Pilot struct {
						K8s struct {
							Env []struct{ Name, Value string } `json:"env"`
						} `json:"k8s"`
					} `json:"pilot"`
				} `json:"components"`
				Values struct {
					Global struct {
						ImagePullPolicy string `json:"imagePullPolicy"`
					} `json:"global"`
				} `json:"values"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(plane.Operator, &operator); err != nil {
			t.Fatalf("%s: %v", plane.Name, err)
		}
		if operator.Spec.Revision != plane.Revision {
			t.Errorf("%s: revision %q, want %q", plane.Name, operator.Spec.Revision, plane.Revision)
		}
		if operator.Spec.Values.Global.ImagePullPolicy != "Never" {
			t.Errorf("%s may pull images", plane.Name)
		}
		for _, env := range operator.Spec.Components.Pilot.K8s.Env {
			if plane.Name == "stock" && !strings.HasPrefix(env.Name, "PILOT_ENABLE_GATEWAY_API") {
				t.Errorf("the stock plane sets %s", env.Name)
			}
		}
	}
	if Dataplane().Deployment() != "istiod" || Stock().Deployment() != "istiod-stock" {
		t.Error("the planes' Deployments are misnamed")
	}
}
