package istioctl

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/spec"
)

// bootstrapDump is the least that a configuration dump may hold.
const bootstrapDump = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump","bootstrap":{"node":{"id":"saved"}}}]}`

var _ = Describe("istioctl without a cluster", Label(catalogue.Istioctl), func() {
	DescribeTable("does not look at the kubeconfig for",
		func(ctx SpecContext, arguments ...string) {
			place := newWorkplace()
			place.fixture("istioctl/routed.yaml", "")
			place.operator("gateway.yaml")
			place.write("dump.json", []byte(bootstrapDump))

			outcome, looked := watched(ctx, istioctl.Subject().In(string(place)), arguments)
			Expect(outcome).To(istioctl.Exit(0))
			Expect(looked).To(BeFalse(), "whether the kubeconfig was read for %q", outcome.Command)
			evidence.API("kubeconfig", "not opened")

			By("watching the release before")
			_, looked = watched(ctx, istioctl.Before().In(string(place)), arguments)
			Expect(looked).To(BeTrue(), "whether the release before read it")
		},
		Entry("version --remote=false", spec.ID("istioctl.offline-version"),
			Label(catalogue.Smoke), "version", "--remote=false"),
		Entry("analyze --use-kube=false", spec.ID("istioctl.offline-analyze"),
			"analyze", "--use-kube=false", "fixtures/istioctl/routed.yaml"),
		Entry("manifest generate", spec.ID("istioctl.offline-manifest-generate"),
			"manifest", "generate", "--filename=suites/istioctl/gateway.yaml"),
		Entry("profile list", spec.ID("istioctl.offline-profile-list"), "profile", "list"),
		Entry("proxy-config bootstrap of a file", spec.ID("istioctl.offline-proxy-config-bootstrap"),
			"proxy-config", "bootstrap", "--file=dump.json"),
	)

	It("has no command experimental revision tag", spec.ID("istioctl.no-experimental-revision-tag"), func(ctx SpecContext) {
		const graduated = "Command group used to interact with revision tags"
		outcome := istioctl.Subject().Offline(ctx, "", "experimental", "revision", "tag", "--help")
		Expect(outcome).NotTo(istioctl.Say(graduated))
		By("seeing that the group is still there")
		Expect(outcome).To(istioctl.Exit(0, "describe"))
		evidence.API("experimental revision tag", "not there")

		By("asking for what it has become")
		Expect(istioctl.Subject().Offline(ctx, "", "tag", "--help")).To(istioctl.Exit(0, graduated))

		By("asking the release before")
		Expect(istioctl.Before().Offline(ctx, "", "experimental", "revision", "tag", "--help")).To(istioctl.Exit(0, graduated))
	})
})

// watched runs a command whose kubeconfig is a named pipe, and tells whether it was opened: nothing else
// notices that a file was read. Whoever reads the pipe gets an empty file.
func watched(ctx context.Context, binary istioctl.Binary, arguments []string) (istioctl.Outcome, bool) {
	GinkgoHelper()
	pipe := filepath.Join(binary.Directory, "kubeconfig")
	Expect(syscall.Mkfifo(pipe, 0o600)).To(Succeed())
	defer func() { Expect(os.Remove(pipe)).To(Succeed()) }()
	done, looks := make(chan struct{}), make(chan int)
	go func() {
		count := 0
		for {
			// It opens when there is a reader, which waits until it is closed: the reader is told from the one below
			// before it can have ended.
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			select {
			case <-done:
				_ = writer.Close()
				looks <- count
				return
			default:
				count++
			}
			if err == nil {
				_ = writer.Close()
			}
		}
	}()
	outcome := binary.Offline(ctx, pipe, arguments...)
	close(done)
	// The last reader: it lets the goroutine go.
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	Expect(err).NotTo(HaveOccurred())
	count := <-looks
	Expect(reader.Close()).To(Succeed())
	return outcome, count > 0
}
