// Package suites is the one Ginkgo suite: it provisions a cell's cluster, runs every feature's specs on
// it and writes the results.
package suites

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"mesh-conformance/hack/gate"
	"mesh-conformance/hack/machine"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/failure"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/results"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"

	// The features.
	_ "mesh-conformance/suites/externalname"
	_ "mesh-conformance/suites/filterorder"
	_ "mesh-conformance/suites/gatewayapi"
	_ "mesh-conformance/suites/gatewaydeploy"
	_ "mesh-conformance/suites/invariants"
	_ "mesh-conformance/suites/istioctl"
	_ "mesh-conformance/suites/kubernetes"
	_ "mesh-conformance/suites/mirroring"
	_ "mesh-conformance/suites/openshift"
	_ "mesh-conformance/suites/rootrotation"
	_ "mesh-conformance/suites/startupprobe"
	_ "mesh-conformance/suites/targetref"
	_ "mesh-conformance/suites/tcpmetadata"
	_ "mesh-conformance/suites/upgrade"
	_ "mesh-conformance/suites/wasmplugin"
)

var (
	//go:embed exemptions.yaml
	exemptionsYAML []byte
	//go:embed known-defects.yaml
	knownDefectsYAML []byte

	jobPath = flag.String("job", "", "the job that qualify wrote for this run")
	lists   *results.Lists
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Upstream's tests run below testing.RunTests, which logs their steps only when verbose.
	if err := flag.Set("test.v", "true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	// The first line of a failure is what reports and terminals show of it.
	RegisterFailHandler(func(message string, callerSkip ...int) {
		Fail(match.WithHeadline(message), append(callerSkip, 0)[0]+1)
	})
	SetDefaultEventuallyTimeout(timing.Push())
	SetDefaultEventuallyPollingInterval(timing.Poll)
	SetDefaultConsistentlyDuration(timing.Quiet)
	SetDefaultConsistentlyPollingInterval(timing.Poll)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrllog.SetLogger(GinkgoLogr)

	var err error
	if lists, err = results.ParseLists(exemptionsYAML, knownDefectsYAML); err != nil {
		t.Fatal(err)
	}
	if *jobPath != "" {
		job, err := kindconfig.LoadJob(*jobPath)
		if err != nil {
			t.Fatal(err)
		}
		lists = lists.With(job.Lists)
		session.Begin(job)
	}
	failure.Know(lists)
	if config, _ := GinkgoConfiguration(); *jobPath == "" && !config.DryRun {
		t.Skip("the suite runs on a cluster: start it through qualify run")
	}
	RunSpecs(t, "Istio 1.20 conformance")
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	job := session.Job()
	Expect(job).NotTo(BeNil(), "no --job: start the suite through qualify run")
	// Whoever kills the driver wants the run to end: all processes of the suite stop, and the first removes
	// what it made. A signal to one process alone would leave the others at work (ginkgo v2.34).
	Expect(session.WatchDriver(job.Lock, func() { _ = syscall.Kill(0, syscall.SIGINT) })).To(Succeed())
	if job.Gate != "" {
		stop, err := gate.Follow(ctx, job.Gate, stretch)
		Expect(err).NotTo(HaveOccurred())
		defer stop()
	}
	facts, err := provision(ctx, job)
	if err != nil {
		Fail("provisioning: " + explain(ctx, job, err).Error())
	}
	encoded, err := json.Marshal(facts)
	Expect(err).NotTo(HaveOccurred())
	return encoded
}, func(_ SpecContext, encoded []byte) {
	var facts session.Facts
	Expect(json.Unmarshal(encoded, &facts)).To(Succeed())
	session.Learn(facts)
	client, err := kube.Connect(session.Job().Kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	kube.Use(client)
}, NodeTimeout(timing.Longest))

var _ = SynchronizedAfterSuite(func(ctx SpecContext) {
	Expect(kube.AwaitLeaving(ctx)).To(Succeed())
}, func(ctx SpecContext) {
	if job := session.Job(); job != nil {
		Expect(teardown(ctx, job)).To(Succeed())
	}
}, NodeTimeout(timing.Longest))

// An exempt spec does not run: what it needs is not there to be seen failing.
var _ = BeforeEach(func() {
	report := CurrentSpecReport()
	if exemption := lists.ExemptionOf(report, &session.Job().Cell); exemption != nil {
		Skip(exemption.Reason)
	}
	if reason, is := spec.Exempt(session.Job(), report.Labels()); is {
		Skip(reason)
	}
})

var _ = JustAfterEach(func(ctx SpecContext) {
	if CurrentSpecReport().Failed() {
		failure.Dump(ctx, kube.NamespacesOfSpec())
	}
})

var _ = ReportAfterEach(func(report SpecReport) {
	job := session.Job()
	if job == nil || report.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
		return
	}
	line, err := json.Marshal(results.State(job, lists, report, measured(job, report.Failed())))
	Expect(err).NotTo(HaveOccurred())
	// One write of one short line: appends of several processes do not mix.
	file, err := os.OpenFile(job.Path(kindconfig.EventsFile), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	Expect(err).NotTo(HaveOccurred())
	_, err = fmt.Fprintf(file, "%s\n", line)
	Expect(err).NotTo(HaveOccurred())
	Expect(file.Close()).To(Succeed())
})

var _ = ReportAfterSuite("results", func(report Report) {
	if job := session.Job(); job != nil {
		Expect(results.Collect(job, lists, report, measured(job, true)).Save(job.Path(kindconfig.ResultsFile))).To(Succeed())
	}
})

// measured is what the driver has measured of the machine so far, if it is needed. A file that cannot be read to its
// end must not keep the results from being written.
func measured(job *kindconfig.Job, needed bool) []machine.Sample {
	if !needed {
		return nil
	}
	samples, err := machine.Load(job.Path(kindconfig.MachineFile))
	if err != nil {
		GinkgoWriter.Println(err)
	}
	return samples
}
