// Package mesh installs control planes with the subject's own installer and waits until they work.
package mesh

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// Namespace holds every control plane: revisions in one namespace share the root certificate.
const Namespace = "istio-system"

// GatewayClass is the class istiod's gateway controller implements.
const GatewayClass = "istio"

// Labels of a namespace, written key=value. The planes beside the default one look at no other namespaces.
const (
	// OfStock is for namespaces that the planes stock and switched serve.
	OfStock = "mesh-conformance/plane=stock"
	// OfAlias is for namespaces that the plane alias serves.
	OfAlias = "mesh-conformance/plane=alias"
	// Compared is for namespaces that the plane alias looks at beside its own, for specs that compare its configuration with
	// that of other planes.
	Compared = "mesh-conformance/compared=true"
	// InjectedByAlias is for namespaces whose pods get a sidecar of the plane alias.
	InjectedByAlias = "istio.io/rev=alias"
)

// ControlPlane is one installation of istiod.
type ControlPlane struct {
	// Name for messages and files.
	Name string
	// Revision is empty for the default one.
	Revision string
	// Operator is the IstioOperator that the suite sets for it; Installer.Operator puts together what is installed.
	Operator []byte
	// Proxies says whose proxies it configures.
	Proxies controlplane.Proxies
}

// Dataplane is the default revision, whose proxies carry the traffic. What they cannot do is switched off.
func Dataplane() ControlPlane {
	return ControlPlane{Name: "dataplane", Operator: controlplane.Operator("dataplane"), Proxies: controlplane.SubjectProxies}
}

// Stock is the revision with the release's default flags, which serves no proxy.
func Stock() ControlPlane { return revision("stock") }

// Alias is a data plane of its own revision where ENABLE_EXTERNAL_NAME_ALIAS is on, and
// ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY off. Its configuration has none of Istio's own filters, whatever the proxies
// can do, which makes it the control for specs about these filters.
func Alias() ControlPlane { return revision("alias") }

// Switched is the stock plane with PILOT_DISABLE_MX_ALPN and PILOT_ENABLE_AMBIENT_CONTROLLERS on, with its
// monitoring port moved, and with the record of distributed configuration that istioctl x wait asks for.
func Switched() ControlPlane { return revision("switched") }

// Native is an injector with ENABLE_NATIVE_SIDECARS on. It is not among the planes that are installed for
// everybody: Kubernetes before 1.28 refuses its sidecars.
func Native() ControlPlane { return revision("native") }

// revision is a control plane that is called as its revision and its file are.
func revision(name string) ControlPlane {
	return ControlPlane{Name: name, Revision: name, Operator: controlplane.Operator(name)}
}

// Beside are the planes that only some specs wait for, in the order in which they are installed.
func Beside() []ControlPlane { return []ControlPlane{Stock(), Alias(), Switched()} }

// Await waits until a plane that is installed beside the first specs can be used: istiod is available and
// its injector answers.
func Await(ctx context.Context, client *kube.Client, plane ControlPlane) error {
	ctx, cancel := context.WithTimeout(ctx, timing.Provisioning())
	defer cancel()
	if err := client.WaitAvailableWithin(ctx, timing.Provisioning(), Namespace, plane.Deployment()); err != nil {
		return fmt.Errorf("control plane %s: %w", plane.Name, err)
	}
	return webhooksReady(ctx, client, plane)
}

// Deployment is the name of the plane's Deployment.
func (p ControlPlane) Deployment() string {
	if p.Revision == "" {
		return "istiod"
	}
	return "istiod-" + p.Revision
}

// Installer installs the cell's subject in one cluster.
type Installer struct {
	Cell   *kindconfig.Cell
	Client *kube.Client
	// other says that Cell describes another release than the subject: the builder's values are not its.
	other bool
	// istioctlOnly says that istioctl installs, whatever the cell says: what an upgrade by istioctl leads from and to has to
	// be istioctl's.
	istioctlOnly bool
	// Directory keeps the operator files that were applied, for replaying by hand.
	Directory string
	Log       io.Writer
}

// NewInstaller is of the subject of a run, for one of its clusters.
func NewInstaller(job *kindconfig.Job, client *kube.Client, log io.Writer) *Installer {
	return &Installer{Cell: &job.Cell, Client: client, Directory: job.Directory, Log: log}
}

// GatewayAPI installs the CRDs of the Gateway API, which a control plane is to find when it starts.
func (i *Installer) GatewayAPI(ctx context.Context) error {
	crds, err := kube.ReadManifest(i.Cell.GatewayAPICRDs)
	if err != nil {
		return problem.Environment("cannot read the Gateway API CRDs", i.Cell.GatewayAPICRDs, "build the cell again", err)
	}
	if _, err := i.Client.ApplyObjects(ctx, "", crds); err != nil {
		return problem.Environment("cannot install the Gateway API CRDs", "", "see diagnostics", err)
	}
	return nil
}

// Operator puts together the IstioOperator that a plane is installed with: the builder's values, over them what the suite
// sets, over that what the proxies cannot do.
func (i *Installer) Operator(plane ControlPlane) ([]byte, error) {
	var values *controlplane.Values
	if i.Cell.Values != "" && !i.other {
		var err error
		if values, err = controlplane.ParseValues([]byte(i.Cell.Values), "--values"); err != nil {
			return nil, err
		}
	}
	return controlplane.Compose(plane.Operator, values, i.Cell, plane.Proxies)
}

// Install installs a plane and returns when istiod is available and its webhooks answer. What the
// subject does wrong is an error of exit code 1, with the pod's own message.
func (i *Installer) Install(ctx context.Context, plane ControlPlane) error {
	begun := time.Now()
	operator, err := i.Operator(plane)
	if err != nil {
		return fmt.Errorf("control plane %s: %w", plane.Name, err)
	}
	file := filepath.Join(i.Directory, "istio-"+plane.Name+".yaml")
	if err := os.WriteFile(file, operator, 0o644); err != nil {
		return problem.Environment("cannot write the operator file", file, "", err)
	}
	// istioctl may wait for istiod as long as for any rollout, and has as long again for the rest of its work.
	limit := 2 * timing.Rollout()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	by, run := controlplane.ByIstioctl, func(out io.Writer) error { return i.istioctlInstall(ctx, file, out) }
	if i.Cell.Install == controlplane.ByHelm && !i.istioctlOnly {
		steps, err := helmSteps(plane, operator, i.Cell.Hub, i.Cell.Tag, i.Cell.Charts)
		if err != nil {
			return fmt.Errorf("control plane %s: %w", plane.Name, err)
		}
		by, run = controlplane.ByHelm, func(out io.Writer) error { return i.helm(ctx, steps, out) }
	}
	var tail bytes.Buffer

	// An istiod that will never start says so long before the installer's timeout does.
	watched := make(chan error, 1)
	go func() { watched <- i.Client.WaitAvailableWithin(ctx, limit, Namespace, plane.Deployment()) }()
	installed, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		installed <- run(io.MultiWriter(i.Log, &tail))
	}()
	for pending := 2; pending > 0; pending-- {
		select {
		case err := <-watched:
			if err != nil {
				// It writes until it has ended.
				cancel()
				<-ended
				return problem.FailedSpecs(fmt.Sprintf("istiod of control plane %s: %v; %s's last line: %s", plane.Name, err, by, complaint(tail.String())))
			}
		case err := <-installed:
			if err != nil {
				state := i.Client.DeploymentState(ctx, Namespace, plane.Deployment())
				return problem.FailedSpecs(notInstalled(by, plane.Name, begun, err, context.Cause(ctx), tail.String(), state).Error())
			}
		}
	}
	if err := webhooksReady(ctx, i.Client, plane); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(i.Log, "control plane %s ready after %.1fs\n", plane.Name, time.Since(begun).Seconds())
	return nil
}

// istioctlInstall has the cell's istioctl install a file.
func (i *Installer) istioctlInstall(ctx context.Context, file string, out io.Writer) error {
	arguments := append([]string{
		"install", "--skip-confirmation", "--kubeconfig", i.Client.Kubeconfig, "--filename", file,
		"--set", "hub=" + i.Cell.Hub, "--set", "tag=" + i.Cell.Tag, "--readiness-timeout", timing.Rollout().String(),
	}, manifests(i.Cell)...)
	cmd := exec.CommandContext(ctx, i.Cell.Istioctl, arguments...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	return cmd.Run()
}

// notInstalled returns the error of an installation by istioctl or helm that failed. failed is the error of the process, expired why it was
// killed, nil if it ended by itself. output is what it wrote, state the state of istiod's Deployment.
func notInstalled(by, name string, begun time.Time, failed, expired error, output, state string) error {
	what := by + " install of control plane " + name
	seen := fmt.Sprintf("%s; its last line: %s", state, complaint(output))
	switch {
	case expired != nil:
		return deadline.Missed(what+" did not end", begun, seen, expired)
	case outOfTime.MatchString(output):
		// istioctl's own time-out, with another exit code than that of a signal.
		return deadline.Missed(what+" did not see its resources become ready", begun, seen, context.DeadlineExceeded)
	}
	return fmt.Errorf("%s failed: %w: %s; %s", what, failed, complaint(output), state)
}

// outOfTime finds the words with which istioctl gives up waiting (istio.io/istio 1.20, operator/pkg/helmreconciler/wait.go).
var outOfTime = regexp.MustCompile(`resources not ready after|timed out waiting for the condition|context deadline exceeded`)

// complaint is the last line of the installer's output that says something.
func complaint(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "rror") {
			return strings.TrimSpace(lines[i])
		}
	}
	return cmp.Or(strings.TrimSpace(lines[len(lines)-1]), "nothing")
}

// webhooksReady waits until the plane's injector trusts istiod's certificate: before that, pods start
// without a sidecar or are refused (istio 1.20, pkg/webhooks/webhookpatch.go fills in the bundle).
func webhooksReady(ctx context.Context, client *kube.Client, plane ControlPlane) error {
	name := "istio-sidecar-injector"
	if plane.Revision != "" {
		name += "-" + plane.Revision
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	seen := "nothing"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		config, err := client.Clientset.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			err = trusted(config)
		}
		// The read that the deadline ends has seen nothing.
		if err != nil && !deadline.OutOfTime(err) {
			seen = err.Error()
		}
		return err == nil, nil
	})
	if err != nil {
		what := fmt.Sprintf("the injection webhook of control plane %s did not become ready", plane.Name)
		return problem.FailedSpecs(deadline.Missed(what, begun, seen, err).Error())
	}
	return nil
}

// trusted says which webhook has no CA bundle yet.
func trusted(config *admissionv1.MutatingWebhookConfiguration) error {
	if len(config.Webhooks) == 0 {
		return fmt.Errorf("%s lists no webhook", config.Name)
	}
	for _, webhook := range config.Webhooks {
		if len(webhook.ClientConfig.CABundle) == 0 {
			return fmt.Errorf("%s of %s has no CA bundle", webhook.Name, config.Name)
		}
	}
	return nil
}

// GatewayClassAccepted waits until istiod's controller has accepted its class and gives the controller's name.
func GatewayClassAccepted(ctx context.Context, client *kube.Client) (controller string, err error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	state := "nothing"
	err = wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		var class gatewayv1.GatewayClass
		if err := client.Client.Get(ctx, types.NamespacedName{Name: GatewayClass}, &class); err != nil {
			if !deadline.OutOfTime(err) {
				state = err.Error()
			}
			return false, nil
		}
		controller, state = string(class.Spec.ControllerName), "no condition Accepted"
		for _, condition := range class.Status.Conditions {
			if condition.Type == string(gatewayv1.GatewayClassConditionStatusAccepted) {
				state = fmt.Sprintf("Accepted is %s: %s", condition.Status, condition.Message)
				return condition.Status == metav1.ConditionTrue, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return "", problem.FailedSpecs(deadline.Missed("istiod did not accept GatewayClass "+GatewayClass, begun, state, err).Error())
	}
	return controller, nil
}
