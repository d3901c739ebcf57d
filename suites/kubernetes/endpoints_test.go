package kubernetes

import (
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"mesh-conformance/suites/internal/echo"
)

func TestReady(t *testing.T) {
	yes, no := true, false
	endpoint := func(address string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready}}
	}
	got := ready([]discoveryv1.EndpointSlice{
		{Endpoints: []discoveryv1.Endpoint{endpoint("10.0.0.3", &yes), endpoint("10.0.0.2", &no)}},
		{Endpoints: []discoveryv1.Endpoint{endpoint("10.0.0.1", &yes), endpoint("10.0.0.4", nil)}},
	})
	if want := "10.0.0.1 10.0.0.3"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestHosts(t *testing.T) {
	got := hosts(echo.Answers{All: []echo.Answer{{Hostname: "b"}, {Hostname: "a"}, {Hostname: "b"}}})
	if strings.Join(got, " ") != "a b" {
		t.Errorf("got %v, want a and b", got)
	}
	if got := hosts(echo.Answers{}); len(got) != 0 {
		t.Errorf("without answers: %v", got)
	}
}
