// Package istioctl shows what the release changed in istioctl, with the subject's own program. The program of
// the release before stands beside it in every spec: it must not be able to do what is new.
package istioctl

import (
	"embed"
	"os"
	"path"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/evidence"
)

//go:embed *.yaml
var operators embed.FS

// folder holds the IstioOperator files of this package, in the repository.
const folder = "suites/istioctl"

// workplace is a folder that looks as the repository does, to istioctl and to who repeats its commands.
type workplace string

// newWorkplace makes one for the current spec or container.
func newWorkplace() workplace {
	GinkgoHelper()
	directory, err := os.MkdirTemp("", "mesh-conformance-istioctl-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, directory)
	return workplace(directory)
}

// operator puts an IstioOperator file into the workplace and gives its path there.
func (w workplace) operator(name string) string {
	GinkgoHelper()
	content, err := operators.ReadFile(name)
	Expect(err).NotTo(HaveOccurred())
	return w.write(path.Join(folder, name), content)
}

// fixture puts a fixture into the workplace, with its objects in a namespace, altered if need be.
func (w workplace) fixture(name, namespace string, alter ...func(*unstructured.Unstructured)) string {
	GinkgoHelper()
	objects, err := fixtures.Objects(name)
	Expect(err).NotTo(HaveOccurred())
	var content []byte
	for _, object := range objects {
		if namespace != "" {
			object.SetNamespace(namespace)
		}
		for _, change := range alter {
			change(object)
		}
		document, err := yaml.Marshal(object.Object)
		Expect(err).NotTo(HaveOccurred())
		content = append(append(content, "---\n"...), document...)
	}
	file := path.Join(fixtures.Root, name)
	if namespace != "" {
		evidence.Replay("kubectl create --dry-run=client --validate=false -o yaml -n %s -f %s > in-namespace.yaml && mv in-namespace.yaml %s", namespace, file, file)
	}
	return w.write(file, content)
}

func (w workplace) write(name string, content []byte) string {
	GinkgoHelper()
	file := filepath.Join(string(w), filepath.FromSlash(name))
	Expect(os.MkdirAll(filepath.Dir(file), 0o755)).To(Succeed())
	Expect(os.WriteFile(file, content, 0o644)).To(Succeed())
	return name
}
