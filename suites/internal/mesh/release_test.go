package mesh

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/kube"
)

// binary is an istioctl that does what the shell says.
func binary(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "istioctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnotherReleaseLeavesTheCellAlone(t *testing.T) {
	cell := &kindconfig.Cell{Istio: "2", Hub: "hub", Tag: "two", Istioctl: "new", Node: "node"}
	before := kindconfig.Release{Istio: "1", Hub: "old-hub", Tag: "one", Istioctl: "old"}
	installer := &Installer{Cell: cell, Client: &kube.Client{}, Directory: "run", Log: io.Discard}
	other := installer.Of(before)
	if Subject(other.Cell) != before || other.Cell.Node != "node" || other.Client != installer.Client || other.Directory != "run" {
		t.Errorf("got %+v of cell %+v", other, other.Cell)
	}
	if want := (kindconfig.Release{Istio: "2", Hub: "hub", Tag: "two", Istioctl: "new"}); Subject(cell) != want || installer.Cell != cell {
		t.Errorf("the cell became %+v", cell)
	}
}

func TestIstioctl(t *testing.T) {
	installer := &Installer{Client: &kube.Client{Kubeconfig: "kubeconfig"}, Log: io.Discard}
	installer.Cell = &kindconfig.Cell{Istio: "1", Istioctl: binary(t, `echo "$@"; echo unasked >&2`)}
	if out, err := installer.Istioctl(t.Context(), "tag", "set", "prod"); err != nil || out != "tag set prod --kubeconfig kubeconfig\n" {
		t.Errorf("got %q, %v", out, err)
	}
	installer.Cell = &kindconfig.Cell{Istio: "1", Istioctl: binary(t, `echo begun; echo "Error: no such revision" >&2; exit 3`)}
	_, err := installer.Istioctl(t.Context(), "tag", "set")
	if err == nil || !strings.Contains(err.Error(), "exit status 3: Error: no such revision") {
		t.Errorf("got %v", err)
	}
}

func TestDefinitions(t *testing.T) {
	const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n"
	const definition = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: b}\n"
	if found, err := definitions(account + definition); err != nil || len(found) != 1 || found[0].GetName() != "b" {
		t.Errorf("got %v, %v", found, err)
	}
	for name, manifest := range map[string]string{"none": account, "broken": "a: [\n"} {
		if found, err := definitions(manifest); err == nil {
			t.Errorf("%s: got %v", name, found)
		}
	}
}
