// Package kubernetes shows what Istio does on the version of Kubernetes that a cell has: whether it calls it
// supported, what it watches there, and what it makes of what is new in it.
package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
)

// minimum maps a minor version of Istio to the oldest minor version of Kubernetes that it supports
// (istioctl/pkg/install/k8sversion/version.go, MinK8SVersion).
var minimum = map[uint64]uint64{19: 25, 20: 25, 21: 26}

// supported are versions of Kubernetes around the oldest that a release of Istio supports.
type supported struct {
	// tooOld is of the last minor version that is not supported, oldest the first release that is, minor its minor version.
	tooOld, oldest, minor string
}

// supportedBy returns them for a subject. The error names what minimum lacks.
func supportedBy(subject kindconfig.Subject) (supported, error) {
	placed, err := subject.Placed()
	if err != nil {
		return supported{}, err
	}
	least, known := minimum[placed.Minor()]
	if !known {
		return supported{}, fmt.Errorf("the oldest Kubernetes that Istio 1.%d supports is not known to this suite", placed.Minor())
	}
	return supported{
		tooOld: fmt.Sprintf("1.%d.17", least-1), oldest: fmt.Sprintf("1.%d.0", least), minor: fmt.Sprintf("1.%d", least),
	}, nil
}

// bounds are those of the build under test.
func bounds() supported {
	GinkgoHelper()
	found, err := supportedBy(session.Job().Cell.Subject)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// nobodys is a namespace of Kubernetes' own: what other specs do in theirs is not looked at.
const nobodys = "kube-public"

// precheck has istioctl look at a cluster. It writes nothing.
func precheck(ctx SpecContext, kubeconfig string) istioctl.Outcome {
	GinkgoHelper()
	outcome := istioctl.Subject().Offline(ctx, kubeconfig, "experimental", "precheck", "--namespace", nobodys)
	evidence.API("istioctl precheck", "%s", outcome)
	return outcome
}

// install has istioctl install the data plane that is there already, in a dry run: it looks at the cluster and renders
// all that it would apply, and writes nothing.
func install(ctx SpecContext, kubeconfig string) istioctl.Outcome {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	operator, err := mesh.NewInstaller(session.Job(), kube.Shared(), GinkgoWriter).Operator(mesh.Dataplane())
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(folder, "operator.yaml"), operator, 0o600)).To(Succeed())
	cell := session.Job().Cell
	evidence.Replay("# operator.yaml is istio-%s.yaml of the run's folder", mesh.Dataplane().Name)
	outcome := istioctl.Subject().In(folder).Offline(ctx, kubeconfig, "install", "--dry-run", "--skip-confirmation",
		"--filename", "operator.yaml", "--set", "hub="+cell.Hub, "--set", "tag="+cell.Tag)
	evidence.API("istioctl install --dry-run", "%s", outcome)
	return outcome
}

// content holds for an outcome of success in which istioctl says these words and complains about nothing.
func content(words string) OmegaMatcher {
	return SatisfyAll(istioctl.Exit(0, words),
		WithTransform(func(o istioctl.Outcome) []string { return complaints(o.Stdout + "\n" + o.Stderr) }, BeEmpty()))
}

const (
	safe      = "No issues found when checking the cluster. Istio is safe to install or upgrade!"
	installed = "Installation complete"
)

var _ = Describe("istioctl", Label(catalogue.Kubernetes), func() {
	It("calls the cell's version of Kubernetes safe to install on", spec.ID("kubernetes.precheck-safe"), Label(catalogue.Smoke), func(ctx SpecContext) {
		evidence.API("Kubernetes", "%s", session.Job().Cell.Kubernetes)
		Expect(precheck(ctx, kube.Shared().Kubeconfig)).To(content(safe))
	})

	It("installs on the cell's version of Kubernetes without a warning", spec.ID("kubernetes.install-without-warning"), func(ctx SpecContext) {
		evidence.API("Kubernetes", "%s", session.Job().Cell.Kubernetes)
		Expect(install(ctx, kube.Shared().Kubeconfig)).To(content(installed))
	})

	It("finds the version before the oldest supported one unsafe to install on", spec.ID("kubernetes.precheck-too-old-unsafe"), func(ctx SpecContext) {
		kubernetes := bounds()
		outcome := precheck(ctx, istioctl.Pretend(ctx, kubernetes.tooOld))
		Expect(outcome).To(istioctl.Exit(1, fmt.Sprintf(
			`Error [IST0142] (Cluster) The Kubernetes Version "v%s" is lower than the minimum version: %s`, kubernetes.tooOld, kubernetes.minor)))
		Expect(outcome).NotTo(istioctl.Say(safe))
	})

	It("warns of the version before the oldest supported one and installs all the same", spec.ID("kubernetes.install-too-old-warns"), func(ctx SpecContext) {
		kubernetes := bounds()
		outcome := install(ctx, istioctl.Pretend(ctx, kubernetes.tooOld))
		Expect(outcome).To(istioctl.Exit(0, installed))
		Expect(strings.Split(outcome.Stdout, "\n")).To(ContainElements(
			fmt.Sprintf("The Kubernetes version v%s is not supported by Istio %s. The minimum supported Kubernetes version is %s.",
				kubernetes.tooOld, istioctl.Subject().Version, kubernetes.minor),
			HavePrefix("Proceeding with the installation, but you might experience problems."),
		), "what istioctl install says to a server of v%s", kubernetes.tooOld)
	})

	It("calls the oldest supported version safe to install on", spec.ID("kubernetes.precheck-oldest-safe"), func(ctx SpecContext) {
		Expect(precheck(ctx, istioctl.Pretend(ctx, bounds().oldest))).To(content(safe))
	})

	It("installs on the oldest supported version without a warning", spec.ID("kubernetes.install-oldest-without-warning"), func(ctx SpecContext) {
		Expect(install(ctx, istioctl.Pretend(ctx, bounds().oldest))).To(content(installed))
	})
})
