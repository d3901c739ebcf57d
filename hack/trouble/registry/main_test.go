package main

import (
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestPublished(t *testing.T) {
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	cell := kindconfig.Cell{Kubernetes: "1.28.15", Node: "node:here", Images: []kindconfig.Image{
		{Reference: "localhost/mesh-conformance/istio/pilot:1.20.0", Digest: "sha256:1", Source: "built", Role: "subject"},
		{Reference: "localhost/mesh-conformance/istio/proxyv2:1.19.0", Digest: "sha256:2", Source: "built", Role: "release"},
		{Reference: "localhost/mesh-conformance/echo:local", Source: "built", Role: "instrument"},
	}}
	images, err := published(cell, versions)
	if err != nil || len(images) != 2 || images[0] != (servedImage{"docker.io/istio/pilot:1.20.0", "sha256:1"}) ||
		images[1] != (servedImage{"docker.io/istio/proxyv2:1.19.0", "sha256:2"}) {
		t.Errorf("%v, %v", images, err)
	}
	nodes, err := nodesOf(cell, versions, []string{"1.25=node:old"})
	if err != nil || nodes["kindest/node:v1.28.0"] != "node:here" || nodes["kindest/node:v1.25.11"] != "node:old" {
		t.Errorf("%v, %v", nodes, err)
	}
	if _, err := nodesOf(cell, versions, []string{"1.25"}); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a node without a reference: %v", err)
	}
	cell.Images[0].Source = "published"
	if _, err := published(cell, versions); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "--images=built") {
		t.Errorf("a published run: %v", err)
	}
	if _, err := published(kindconfig.Cell{}, versions); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a run without images: %v", err)
	}
}
