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

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
)

// tooOld is of the last minor version that Istio 1.20 does not support, oldest the first release that it does.
const (
	tooOld = "1.24.17"
	oldest = "1.25.0"
)

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
		outcome := precheck(ctx, istioctl.Pretend(ctx, tooOld))
		Expect(outcome).To(istioctl.Exit(1, fmt.Sprintf(
			`Error [IST0142] (Cluster) The Kubernetes Version "v%s" is lower than the minimum version: 1.25`, tooOld)))
		Expect(outcome).NotTo(istioctl.Say(safe))
	})

	It("warns of the version before the oldest supported one and installs all the same", spec.ID("kubernetes.install-too-old-warns"), func(ctx SpecContext) {
		outcome := install(ctx, istioctl.Pretend(ctx, tooOld))
		Expect(outcome).To(istioctl.Exit(0, installed))
		Expect(strings.Split(outcome.Stdout, "\n")).To(ContainElements(
			fmt.Sprintf("The Kubernetes version v%s is not supported by Istio %s. The minimum supported Kubernetes version is 1.25.", tooOld, istioctl.Subject().Version),
			HavePrefix("Proceeding with the installation, but you might experience problems."),
		), "what istioctl install says to a server of v%s", tooOld)
	})

	It("calls the oldest supported version safe to install on", spec.ID("kubernetes.precheck-oldest-safe"), func(ctx SpecContext) {
		Expect(precheck(ctx, istioctl.Pretend(ctx, oldest))).To(content(safe))
	})

	It("installs on the oldest supported version without a warning", spec.ID("kubernetes.install-oldest-without-warning"), func(ctx SpecContext) {
		Expect(install(ctx, istioctl.Pretend(ctx, oldest))).To(content(installed))
	})
})
