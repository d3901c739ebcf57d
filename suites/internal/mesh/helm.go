package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"sync"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/storage/driver"

	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/timing"
)

// helmStep is one release of Helm's: a chart with its values.
type helmStep struct {
	release, namespace string
	// chart is the folder below the cell's charts.
	chart   string
	values  map[string]any
	patches []controlplane.Patch
	// wait says that everything of the chart has to be ready before the step ends. istiod's Deployment is watched
	// beside it.
	wait bool
}

// helmSteps are the releases of a control plane in the order in which Istio's documentation installs them.
func helmSteps(plane ControlPlane, operator []byte, hub, tag, charts string) ([]helmStep, error) {
	translated, err := controlplane.ToHelm(operator, controlplane.ProfileBeside(charts))
	if err != nil {
		return nil, err
	}
	of := func(values map[string]any) map[string]any {
		with := maps.Clone(values)
		global, _ := with["global"].(map[string]any)
		global = maps.Clone(global)
		if global == nil {
			global = map[string]any{}
		}
		global["hub"], global["tag"] = hub, tag
		with["global"] = global
		return with
	}
	var steps []helmStep
	if translated.Base != nil {
		steps = append(steps, helmStep{
			release: "istio-base", namespace: Namespace, chart: "base", values: of(translated.Base),
		})
	}
	steps = append(steps, helmStep{
		release: plane.Deployment(), namespace: Namespace, chart: filepath.Join("istio-control", "istio-discovery"),
		values: of(translated.Istiod), patches: translated.Patches,
	})
	if translated.CNI != nil {
		steps = append(steps, helmStep{
			release: "istio-cni", namespace: translated.CNINamespace, chart: "istio-cni", values: of(translated.CNI), wait: true,
		})
	}
	return steps, nil
}

// helm installs steps, and upgrades a release that is there already. What Helm says goes to log.
func (i *Installer) helm(ctx context.Context, steps []helmStep, out io.Writer) error {
	// Helm goes on beside when the context ends, and must not write to what the caller reads then.
	log := &bounded{out: out}
	defer log.end()
	for _, step := range steps {
		_, _ = fmt.Fprintf(log, "helm install %s %s -n %s\n", step.release, step.chart, step.namespace)
		if err := i.helmInstall(ctx, step, log); err != nil {
			return fmt.Errorf("chart %s: %w", step.chart, err)
		}
	}
	return nil
}

func (i *Installer) helmInstall(ctx context.Context, step helmStep, log io.Writer) error {
	loaded, err := loader.Load(filepath.Join(i.Cell.Charts, step.chart))
	if err != nil {
		return err
	}
	settings := cli.New()
	settings.KubeConfig = i.Client.Kubeconfig
	settings.SetNamespace(step.namespace)
	config := new(action.Configuration)
	debug := func(format string, args ...any) { _, _ = fmt.Fprintf(log, format+"\n", args...) }
	if err := config.Init(settings.RESTClientGetter(), step.namespace, "secret", debug); err != nil {
		return err
	}
	_, err = action.NewHistory(config).Run(step.release)
	switch {
	case errors.Is(err, driver.ErrReleaseNotFound):
		install := action.NewInstall(config)
		install.ReleaseName, install.Namespace, install.CreateNamespace = step.release, step.namespace, true
		install.Wait, install.Timeout, install.PostRenderer = step.wait, timing.Rollout(), patcher(step.patches)
		_, err = install.RunWithContext(ctx, loaded, step.values)
	case err == nil:
		upgrade := action.NewUpgrade(config)
		upgrade.Namespace, upgrade.Wait, upgrade.Timeout = step.namespace, step.wait, timing.Rollout()
		upgrade.PostRenderer = patcher(step.patches)
		_, err = upgrade.RunWithContext(ctx, step.release, loaded, step.values)
	}
	return err
}

// bounded passes on what is written to it until its end.
type bounded struct {
	sync.Mutex
	out   io.Writer
	ended bool
}

// Write drops what comes after the end.
func (b *bounded) Write(content []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	if b.ended {
		return len(content), nil
	}
	return b.out.Write(content)
}

func (b *bounded) end() {
	b.Lock()
	defer b.Unlock()
	b.ended = true
}

// patcher changes what a chart renders before Helm applies it (postrender.PostRenderer).
type patcher []controlplane.Patch

// Run implements Helm's interface.
func (p patcher) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	changed, err := controlplane.PatchManifest(rendered.Bytes(), p)
	return bytes.NewBuffer(changed), err
}
