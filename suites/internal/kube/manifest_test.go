package kube

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadManifestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"b.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n# nothing\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n",
		"a.yaml":             "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
		"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range objects {
		names = append(names, object.GetKind()+"/"+object.GetName())
	}
	want := []string{"Namespace/a", "ConfigMap/b", "Secret/c"}
	if len(names) != len(want) || names[0] != want[0] || names[1] != want[1] || names[2] != want[2] {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestReadManifestRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("kind: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "none.yaml"), "malformed": broken, "empty folder": t.TempDir()} {
		if _, err := ReadManifest(path); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
