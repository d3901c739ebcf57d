package suites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"golang.org/x/sync/errgroup"

	"mesh-conformance/hack/gate"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	"mesh-conformance/suites/gatewayapi"
	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/loadbalancer"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/results"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// provisioningLog has what kind, istioctl and upstream's setup said, with the time each step took.
const provisioningLog = "provisioning.log"

// settlingLog has what the installer of the planes beside the default one said.
const settlingLog = "provisioning-planes.log"

// provisioned is the connection of a cluster that came up, for diagnostics if a later step fails.
var provisioned *kube.Client

// provision makes the shared cluster ready for specs: cluster, load balancer, CRDs, control planes,
// upstream's base resources. Steps that do not need each other run side by side.
func provision(ctx context.Context, job *kindconfig.Job) (session.Facts, error) {
	begun := time.Now()
	file, err := os.Create(job.Path(provisioningLog))
	if err != nil {
		return session.Facts{}, problem.Environment("cannot write the provisioning log", job.Path(provisioningLog), "", err)
	}
	defer func() { _ = file.Close() }()
	log := io.MultiWriter(file, GinkgoWriter)
	step := func(name string) {
		_, _ = fmt.Fprintf(log, "%6.1fs %s\n", time.Since(begun).Seconds(), name)
	}

	if kept, facts := reusable(ctx, job, log); kept != nil {
		provisioned = kept
		session.Learn(facts)
		step("an earlier run's cluster is reused as it is")
		_, err := begin(ctx, job, -1)
		return facts, err
	}
	client, err := cluster.Create(ctx, cluster.Options{Name: job.Cluster, Network: job.Network, Cell: &job.Cell, Kubeconfig: job.Kubeconfig, Log: log})
	if err != nil {
		return session.Facts{}, err
	}
	provisioned = client
	step("the API server answers")

	var facts session.Facts
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := loadbalancer.Install(groupCtx, client, job.Cell.MetalLB, job.Cluster, job.Network)
		step("the load balancer has its addresses")
		return err
	})
	proxiesRead := make(chan struct{})
	group.Go(func() error {
		read, remove, err := readProxies(groupCtx, client, &job.Cell)
		if err != nil {
			return errors.Join(err, remove(groupCtx))
		}
		facts.Proxies = read
		session.Learn(facts)
		step(fmt.Sprintf("the proxy is Envoy %s, flavour %s", job.Cell.ProxyVersion, job.Cell.ProxyFlavour))
		close(proxiesRead)
		return remove(groupCtx)
	})
	group.Go(func() error {
		installer := mesh.NewInstaller(job, client, log)
		if err := installer.GatewayAPI(groupCtx); err != nil {
			return err
		}
		step("the Gateway API CRDs are applied")
		// What a control plane asks of proxies follows from what they can do.
		select {
		case <-proxiesRead:
		case <-groupCtx.Done():
			return groupCtx.Err()
		}
		if err := installer.Install(groupCtx, mesh.Dataplane()); err != nil {
			return err
		}
		step("the data plane's istiod is ready")
		controller, err := mesh.GatewayClassAccepted(groupCtx, client)
		if err != nil {
			return err
		}
		facts.GatewayController = controller
		session.Learn(facts)
		if err := gatewayapi.Apply(groupCtx, client, log); err != nil {
			return problem.FailedSpecs(err.Error())
		}
		step("upstream's base resources are applied")
		// An istiod that deploys no Gateway fails the specs that are about it.
		if facts.GatewayNameLabel, err = gateway.ReadNameLabel(groupCtx, client); err != nil {
			step(fmt.Sprintf("the label of gateways is taken for %s: %v", facts.NameLabel(), err))
		}
		session.Learn(facts)
		return nil
	})
	if err := group.Wait(); err != nil {
		return facts, err
	}
	width, err := begin(ctx, job, time.Since(begun).Seconds())
	if err != nil {
		return facts, err
	}
	if width < job.Procs {
		// Specs that need them wait again and say what is missing.
		if err := gatewayapi.Await(ctx, client); err != nil {
			step(fmt.Sprintf("upstream's base resources are not ready: %v", err))
		} else {
			step("upstream's base resources are ready")
		}
	}
	if width == 1 {
		// A machine that carries one process would carry these control planes beside it no better.
		if err := settle(ctx, job, client, facts); err != nil {
			return facts, err
		}
		step("the other control planes are ready")
	}
	step("the first spec may start")
	if width > 1 {
		settled = make(chan error, 1)
		go func() { settled <- settle(context.WithoutCancel(ctx), job, client, facts) }()
	}
	return facts, nil
}

// begin tells the driver how many seconds provisioning took, a negative number where a kept cluster is reused, and
// returns how many processes may run specs at first.
func begin(ctx context.Context, job *kindconfig.Job, seconds float64) (width int, err error) {
	if job.Gate == "" {
		return job.Procs, nil
	}
	state, err := gate.Provisioned(ctx, job.Gate, seconds)
	if err != nil {
		return 0, problem.Environment("the suite cannot reach its driver", job.Gate, "start the suite through qualify run", err)
	}
	stretch(state)
	return state.Width, nil
}

// settled gives what became of settle, once; it is nil in the processes that do not provision and where a
// cluster is reused.
var settled chan error

// settle installs what only some specs wait for, beside the first specs, and marks the cluster as whole.
func settle(ctx context.Context, job *kindconfig.Job, client *kube.Client, facts session.Facts) error {
	ctx, cancel := context.WithTimeout(ctx, timing.Provisioning())
	defer cancel()
	log, err := os.Create(job.Path(settlingLog))
	if err != nil {
		return problem.Environment("cannot write the provisioning log", job.Path(settlingLog), "", err)
	}
	defer func() { _ = log.Close() }()
	installer := mesh.NewInstaller(job, client, log)
	for _, plane := range mesh.Beside() {
		if err := installer.Install(ctx, plane); err != nil {
			return err
		}
	}
	return cluster.Mark(ctx, client, &job.Cell, facts)
}

// reusable connects to the cluster an earlier run kept, if the driver allows it and the cluster was
// provisioned whole for the same cell; any other cluster of that name is removed.
func reusable(ctx context.Context, job *kindconfig.Job, log io.Writer) (*kube.Client, session.Facts) {
	var facts session.Facts
	if !job.Reuse {
		return nil, facts
	}
	if client, err := kube.Connect(job.Kubeconfig); err == nil {
		err := cluster.Marked(ctx, client, &job.Cell, &facts)
		if err == nil {
			return client, facts
		}
		_, _ = fmt.Fprintf(log, "the kept cluster cannot be reused: %v\n", err)
	}
	if err := cluster.Delete(job.Cluster, job.Network, job.Kubeconfig, log); err != nil {
		_, _ = fmt.Fprintln(log, err)
	}
	return nil, facts
}

// explain leaves behind why provisioning failed: diagnostics of the cluster, if there is one, and, where
// the fault is not the subject's, the one line for the driver's exit. It returns the error with its reason.
func explain(ctx context.Context, job *kindconfig.Job, failed error) error {
	if provisioned != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timing.Diagnostics())
		defer cancel()
		if _, err := diagnose.Cluster(ctx, provisioned, job.Path(kindconfig.DiagnosticsDir), job.Started); err != nil {
			GinkgoWriter.Printf("diagnostics could not be taken: %v\n", err)
		}
	}
	finding := results.JudgeError(failed.Error(), measured(job, true), job.Started, time.Now())
	if finding.Reason != "" {
		failed = fmt.Errorf("%s: %w", finding.Reason, failed)
	}
	var known *problem.Error
	ofSubject := finding.Reason != "" || errors.As(failed, &known) && known.Code == problem.ExitFailedSpecs
	if finding.State == reports.StateFailed && ofSubject {
		return failed
	}
	line := []byte(failed.Error() + "\n")
	if err := os.WriteFile(filepath.Clean(job.Path(kindconfig.EnvironmentFile)), line, 0o644); err != nil {
		GinkgoWriter.Printf("%v\n", err)
	}
	return failed
}

// teardown waits for what was begun beside the specs and removes the cluster unless it is to be kept.
func teardown(ctx context.Context, job *kindconfig.Job) error {
	var failed error
	if settled != nil {
		select {
		case failed = <-settled:
		case <-ctx.Done():
			failed = ctx.Err()
		}
	}
	if failed != nil {
		// Specs that needed these control planes are undecided as well.
		finding := results.JudgeError(failed.Error(), measured(job, true), job.Started, time.Now())
		if finding.State == reports.StateUndecided {
			GinkgoWriter.Printf("%s: %v\n", finding.Reason, failed)
			failed = nil
		}
	}
	if job.Keep {
		return failed
	}
	return errors.Join(failed, cluster.Delete(job.Cluster, job.Network, job.Kubeconfig, GinkgoWriter))
}
