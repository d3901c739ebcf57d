package cluster

import (
	"context"
	"io"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// Own makes a cluster that only the current Ordered container uses, for what would change the shared one
// for everybody: another root, another version's CRDs, a plugin on the node. Until the container ends it
// is what kube.Shared gives in this process; then it is deleted whole, so that what is made in it needs no
// cleanup. Call it in a BeforeAll that has a NodeTimeout of timing.Longest. Nothing is installed in it,
// and its node may not be ready yet.
func Own(ctx context.Context, name string) *kube.Client {
	ginkgo.GinkgoHelper()
	job := session.Job()
	full, kubeconfig := job.Cluster+"-"+name, job.Path("kubeconfig-"+name)
	file, err := os.Create(job.Path("provisioning-" + name + ".log"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(file.Close)
	log := io.MultiWriter(file, ginkgo.GinkgoWriter)

	// Before the cluster exists: an interrupt may leave half of one.
	ginkgo.DeferCleanup(func(ginkgo.SpecContext) {
		gomega.Expect(Delete(full, job.Network, kubeconfig, log)).To(gomega.Succeed())
	}, ginkgo.NodeTimeout(timing.Longest))
	client, err := Create(ctx, Options{Name: full, Network: job.Network, Cell: &job.Cell, Kubeconfig: kubeconfig, Log: log})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	client.Disposable = true
	before := kube.Shared()
	kube.Use(client)
	ginkgo.DeferCleanup(func() { kube.Use(before) })
	evidence.Replay("# in a cluster of its own: kind create cluster --image %s", job.Cell.Node)
	return client
}
