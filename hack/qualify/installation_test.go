package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestInstallationIsCheckedBeforeAnythingIsInstalled(t *testing.T) {
	for name, c := range map[string]struct {
		by, content string
		// want is part of the one line; empty where the installation is good.
		want string
	}{
		"nothing is said":              {},
		"Helm":                         {by: "helm"},
		"an unknown installer":         {by: "kustomize", want: `unknown value "kustomize" of --install (qualify run); give one of istioctl, helm`},
		"Helm values":                  {by: "helm", content: "pilot: {env: {PILOT_X: \"1\"}}\n"},
		"an IstioOperator":             {by: "istioctl", content: "kind: IstioOperator\nspec: {meshConfig: {accessLogFile: /dev/stdout}}\n"},
		"no YAML":                      {by: "istioctl", content: "a: [\n", want: "not YAML"},
		"another kind":                 {by: "istioctl", content: "apiVersion: v1\nkind: ConfigMap\n", want: "kind ConfigMap"},
		"a value that the suite sets":  {by: "istioctl", content: "meshConfig: {defaultConfig: {concurrency: 4}}\n", want: "spec.meshConfig.defaultConfig.concurrency is 4 in the installation values, and the suite sets 1"},
		"what Helm's charts have not":  {by: "helm", content: "kind: IstioOperator\nspec: {components: {pilot: {k8s: {hpaSpec: {maxReplicas: 3}}}}}\n", want: "components.pilot.k8s.hpaSpec"},
		"what this release has not":    {by: "istioctl", content: "pilot: {nosuch: 1}\n", want: "spec.values.pilot.nosuch"},
		"what Helm ignores":            {by: "helm", content: "pilot: {nosuch: 1}\n"},
		"the same for istioctl, which": {by: "istioctl", content: "kind: IstioOperator\nspec: {components: {pilot: {k8s: {hpaSpec: {maxReplicas: 3}}}}}\n"},
	} {
		i := installation{by: c.by}
		if c.content != "" {
			i.valuesFile = filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(i.valuesFile, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := i.check(kindconfig.ReleaseSubject("1.20.0"))
		if c.want == "" {
			if got := i.of(&kindconfig.Cell{}); err != nil || got.Values != c.content || got.Install != c.by {
				t.Errorf("%s: %v, cell %+v", name, err, got)
			}
			continue
		}
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line, a usage error with %q", name, err, c.want)
		}
	}
	missing := installation{valuesFile: filepath.Join(t.TempDir(), "values.yaml")}
	if err := missing.check(kindconfig.Subject{}); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a file that is not there: %v", err)
	}
}
