package controlplane

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// extensions reads a recorded list of kindconfig/testdata.
func extensions(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "kindconfig", "testdata", "extensions-"+name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(content))
}

// composed is the spec that Compose makes of a file.
func composed(t *testing.T, name, values string, cell kindconfig.Cell, proxies Proxies) tree {
	t.Helper()
	var own *Values
	if values != "" {
		var err error
		if own, err = ParseValues([]byte(values), "values.yaml"); err != nil {
			t.Fatal(err)
		}
	}
	made, err := Compose(Operator(name), own, &cell, proxies)
	if err != nil {
		t.Fatal(err)
	}
	content, err := parseTree(made)
	if err != nil {
		t.Fatal(err)
	}
	return content["spec"].(tree)
}

// variable is the value of a variable of istiod, nil where it is not set.
func variable(spec tree, name string) any {
	list, _ := at(spec, split(operatorEnv)...)
	variables, _ := list.([]any)
	for _, element := range variables {
		if nameOf(element) == name {
			return element.(tree)["value"]
		}
	}
	return nil
}

func TestProxiesDecideWhatIsSwitchedOff(t *testing.T) {
	upstream, istio := extensions(t, "upstream"), extensions(t, "istio-1.20.0")
	noALPN := slices.DeleteFunc(slices.Clone(istio), func(name string) bool { return name == kindconfig.ExtensionALPN })
	older, newer := kindconfig.Release{Istio: "1.19.0"}, kindconfig.Release{Istio: "1.20.1"}
	for name, c := range map[string]struct {
		cell    kindconfig.Cell
		proxies Proxies
		// exchange, alpn and telemetry say what is left as the release has it.
		exchange, alpn, telemetry bool
	}{
		"upstream's Envoy":                 {kindconfig.Cell{ProxyExtensions: upstream}, SubjectProxies, false, false, false},
		"Istio's proxy":                    {kindconfig.Cell{ProxyExtensions: istio}, SubjectProxies, true, true, true},
		"Istio's proxy without istio.alpn": {kindconfig.Cell{ProxyExtensions: noALPN}, SubjectProxies, true, false, true},
		"a proxy that was not read":        {kindconfig.Cell{}, SubjectProxies, false, false, false},
		"a control plane without proxies":  {kindconfig.Cell{ProxyExtensions: upstream}, NoProxies, true, true, true},
		"an upgrade from upstream's Envoy": {
			kindconfig.Cell{ProxyExtensions: istio, Before: older, BeforeExtensions: upstream, After: newer, AfterExtensions: istio},
			AllProxies, false, false, false,
		},
		"an upgrade among Istio's proxies": {
			kindconfig.Cell{ProxyExtensions: istio, Before: older, BeforeExtensions: istio, After: newer, AfterExtensions: istio},
			AllProxies, true, true, true,
		},
		"no release after": {
			kindconfig.Cell{ProxyExtensions: istio, Before: older, BeforeExtensions: istio}, AllProxies, true, true, true,
		},
		"no release before": {
			kindconfig.Cell{ProxyExtensions: istio, After: newer, AfterExtensions: istio}, AllProxies, true, true, true,
		},
		"a release after that was not read": {
			kindconfig.Cell{ProxyExtensions: istio, Before: older, BeforeExtensions: istio, After: newer}, AllProxies, false, false, false,
		},
		"the subject beside another's flaw": {kindconfig.Cell{ProxyExtensions: istio, BeforeExtensions: upstream}, SubjectProxies, true, true, true},
	} {
		spec := composed(t, "dataplane", "", c.cell, c.proxies)
		if got := variable(spec, "PILOT_ENABLE_METADATA_EXCHANGE") == nil; got != c.exchange {
			t.Errorf("%s: metadata exchange is left on: %v, want %v", name, got, c.exchange)
		}
		if got := variable(spec, "PILOT_ENABLE_ALPN_FILTER") == nil; got != c.alpn {
			t.Errorf("%s: the ALPN filter is left on: %v, want %v", name, got, c.alpn)
		}
		if enabled, found := at(spec, "values", "telemetry", "enabled"); found == c.telemetry || found && enabled != false {
			t.Errorf("%s: telemetry is %v, set: %v", name, enabled, found)
		}
		if variable(spec, "PILOT_ENABLE_ALPHA_GATEWAY_API") != "true" {
			t.Errorf("%s: what the suite sets is lost", name)
		}
	}
}

func TestValuesLieUnderWhatTheSuiteSets(t *testing.T) {
	const values = `
kind: IstioOperator
spec:
  profile: minimal
  meshConfig: {accessLogFile: /dev/stdout}
  components:
    cni: {enabled: true}
    pilot: {k8s: {env: [{name: PILOT_X, value: "1"}]}}
  values: {pilot: {env: {PILOT_Y: 2}}, global: {logAsJson: true}}
`
	spec := composed(t, "dataplane", values, kindconfig.Cell{}, SubjectProxies)
	for path, want := range map[string]any{
		"meshConfig.accessLogFile": "/dev/stdout", "meshConfig.defaultConfig.concurrency": int64(1), "values.global.logAsJson": true,
		"values.global.imagePullPolicy": "Never", "components.cni.enabled": true,
	} {
		if got, _ := at(spec, split(path)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for name, want := range map[string]any{"PILOT_X": "1", "PILOT_Y": "2", "PILOT_ENABLE_ALPHA_GATEWAY_API": "true"} {
		if got := variable(spec, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	revision := composed(t, "stock", values, kindconfig.Cell{}, NoProxies)
	if _, found := at(revision, "components", "cni"); found || variable(revision, "PILOT_X") != "1" {
		t.Errorf("a revision is installed with %v", revision)
	}
}

func TestCheckValues(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"Helm values":               {"pilot: {traceSampling: 5}\nmeshConfig: {accessLogFile: /dev/stdout}\n", ""},
		"an IstioOperator":          {"apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {profile: minimal}\n", ""},
		"the suite's own value":     {"meshConfig: {defaultConfig: {concurrency: 1}}\n", ""},
		"an agreeing variable":      {"pilot: {env: {PILOT_ENABLE_ALPHA_GATEWAY_API: true}}\n", ""},
		"another value":             {"meshConfig: {defaultConfig: {concurrency: 2}}\n", "spec.meshConfig.defaultConfig.concurrency is 2 in the installation values, and the suite sets 1 (control plane dataplane)"},
		"another variable":          {"pilot: {env: {PILOT_ENABLE_ALPHA_GATEWAY_API: \"false\"}}\n", "env[PILOT_ENABLE_ALPHA_GATEWAY_API].value is false in the installation values, and the suite sets true"},
		"what upstream cannot":      {"telemetry: {enabled: true}\n", "spec.values.telemetry.enabled is true in the installation values, and the suite sets false"},
		"images":                    {"global: {hub: example.test/mine}\n", "spec.hub is example.test/mine"},
		"a revision":                {"kind: IstioOperator\nspec: {revision: canary}\n", "spec.revision is canary"},
		"another profile":           {"kind: IstioOperator\nspec: {profile: demo}\n", "spec.profile is demo in the installation values, and the suite sets minimal"},
		"another namespace":         {"kind: IstioOperator\nmetadata: {namespace: mesh}\nspec: {profile: minimal}\n", "spec.namespace is mesh"},
		"several":                   {"global: {hub: a, tag: b}\n", "spec.hub is a in the installation values, and the suite sets that of the subject's images (every control plane); likewise spec.tag"},
		"no YAML":                   {"a: [\n", "not YAML"},
		"a list":                    {"- a\n", "not YAML with one mapping"},
		"a key twice":               {"a: 1\na: 2\n", "not YAML"},
		"two documents":             {"pilot: {traceSampling: 5}\n---\npilot: {env: {A: b}}\n", "more than one YAML document"},
		"nothing":                   {"# nothing\n", "are empty"},
		"another kind":              {"apiVersion: v1\nkind: Pod\n", "apiVersion v1 and kind Pod"},
		"an operator without spec":  {"kind: IstioOperator\n", "no spec"},
		"an operator's unknown key": {"kind: IstioOperator\nspce: {}\n", `unknown field "spce"`},
		"istiod's image":            {"pilot: {image: example.test/pilot:x}\n", "spec.values.pilot.image is example.test/pilot:x in the installation values, and the suite sets pilot"},
		"istiod's default image":    {"pilot: {image: pilot}\n", ""},
		"istiod's tag":              {"pilot: {tag: x}\n", "spec.values.pilot.tag is x in the installation values, and the suite sets that of the subject's images"},
		"istiod's hub":              {"pilot: {hub: x}\n", "spec.values.pilot.hub is x"},
		"the proxy's image":         {"global: {proxy: {image: x}}\n", "spec.values.global.proxy.image is x in the installation values, and the suite sets proxyv2"},
		"the init container's":      {"global: {proxy_init: {image: x}}\n", "spec.values.global.proxy_init.image is x"},
		"istio-cni's":               {"cni: {image: a, hub: b, tag: c}\n", "spec.values.cni.image is a in the installation values, and the suite sets install-cni (every control plane); likewise spec.values.cni.hub, spec.values.cni.tag"},
		"a pull policy":             {"cni: {pullPolicy: Always}\n", "spec.values.cni.pullPolicy is Always in the installation values, and the suite sets Never"},
		"a selector named image":    {"pilot: {nodeSelector: {image: ubuntu}, podLabels: {tag: a}}\n", ""},
		"a variant":                 {"global: {variant: distroless}\n", "spec.values.global.variant is distroless"},
		"an image type":             {"meshConfig: {defaultConfig: {image: {imageType: debug}}}\n", "spec.meshConfig.defaultConfig.image is"},
		"a component's tag":         {"kind: IstioOperator\nspec: {components: {pilot: {hub: a, tag: 1.2}}}\n", "spec.components.pilot.hub is a in the installation values, and the suite sets that of the subject's images (every control plane); likewise spec.components.pilot.tag"},
		"a gateway's tag":           {"kind: IstioOperator\nspec: {components: {egressGateways: [{name: e, tag: a}]}}\n", "spec.components.egressGateways[e].tag is a"},
		"a patched image":           {"kind: IstioOperator\nspec: {components: {pilot: {k8s: {overlays: [{kind: Deployment, name: istiod, patches: [{path: 'spec.template.spec.containers.[name:discovery].image', value: x}]}]}}}}\n", "is x in the installation values, and the suite sets that of the subject's images"},
		"a proxy's annotation":      {"sidecarInjectorWebhook: {injectedAnnotations: {sidecar.istio.io/proxyImage: x}}\n", "proxyImage\" is x"},
		"another package":           {"kind: IstioOperator\nspec: {installPackagePath: /x}\n", "spec.installPackagePath cannot be set"},
		"no istiod":                 {"kind: IstioOperator\nspec: {components: {pilot: {enabled: false}}}\n", "spec.components.pilot.enabled is false"},
		"no istiod by values":       {"pilot: {enabled: false}\n", "spec.values.pilot.enabled is false"},
		"no base":                   {"kind: IstioOperator\nspec: {components: {base: {enabled: false}}}\n", "spec.components.base.enabled is false"},
		"ztunnel":                   {"kind: IstioOperator\nspec: {components: {ztunnel: {enabled: true}}}\n", "spec.components.ztunnel.enabled is true"},
		"a gateway":                 {"kind: IstioOperator\nspec: {components: {egressGateways: [{name: e, enabled: true}]}}\n", "spec.components.egressGateways[e] is enabled"},
		"a gateway that is off":     {"kind: IstioOperator\nspec: {components: {egressGateways: [{name: e, enabled: false}]}}\n", ""},
		"an unknown field":          {"kind: IstioOperator\nspec: {bogusField: 1}\n", "spec.bogusField is no field of an IstioOperator"},
		"an unknown component":      {"kind: IstioOperator\nspec: {components: {nosuch: {enabled: true}}}\n", "spec.components.nosuch is no field of an IstioOperator"},
		"an unknown k8s setting":    {"kind: IstioOperator\nspec: {components: {pilot: {k8s: {nosuch: 1}}}}\n", "spec.components.pilot.k8s.nosuch is no field"},
		"another case":              {"kind: IstioOperator\nspec: {components: {Pilot: {enabled: true}}}\n", "spec.components.Pilot is no field"},
		"a field's wrong type":      {"kind: IstioOperator\nspec: {components: {pilot: {enabled: maybe}}}\n", "spec.components.pilot.enabled is maybe, which is of the wrong type for an IstioOperator"},
		"an environment as list":    {"pilot: {env: [a]}\n", `spec.values.pilot.env is ["a"], which is of the wrong type for the Helm values of Istio 1.20`},
		"a duration":                {"pilot: {keepaliveMaxServerConnectionAge: 30m, rollingMaxUnavailable: 25%}\n", ""},
		"no duration":               {"pilot: {keepaliveMaxServerConnectionAge: soon}\n", "keepaliveMaxServerConnectionAge is soon, which is of the wrong type"},
		"a wrong type of the mesh":  {"meshConfig: {accessLogFile: 1}\n", "spec.values.meshConfig.accessLogFile is 1, which is of the wrong type for the MeshConfig of Istio 1.20"},
		"a wrong type for proxies":  {"kind: IstioOperator\nspec: {meshConfig: {defaultConfig: {proxyMetadata: {A: true}}}}\n", "spec.meshConfig.defaultConfig.proxyMetadata.A is true, which is of the wrong type"},
		"an unknown mesh setting":   {"meshConfig: {nosuch: 1}\n", ""},
		"settings of the mesh": {"meshConfig: {accessLogEncoding: JSON, outboundTrafficPolicy: {mode: REGISTRY_ONLY}, enableTracing: true, rootNamespace: a, " +
			"dnsRefreshRate: 5m, localityLbSetting: {enabled: true}, serviceSettings: [{settings: {clusterLocal: true}, hosts: [a]}], " +
			"extensionProviders: [{name: x, envoyExtAuthzHttp: {service: a.b, port: 80, timeout: 10m}}, {name: o, opentelemetry: {service: a, port: 1}}], " +
			"defaultConfig: {drainDuration: 5m, holdApplicationUntilProxyStarts: true, tracing: {sampling: 10, zipkin: {address: 'z:1'}}}}\n", ""},
		"an unknown value": {"nosuch: {a: 1}\n", ""},
		"many settings": {"kind: IstioOperator\nspec: {components: {cni: {enabled: true, namespace: kube-system}, pilot: {enabled: true, k8s: {affinity: {nodeAffinity: {}}, " +
			"tolerations: [{key: a, operator: Exists}], nodeSelector: {a: b}, hpaSpec: {maxReplicas: 3}, env: [{name: A, valueFrom: {fieldRef: {fieldPath: a.b}}}], " +
			"volumes: [{name: x, emptyDir: {}}], securityContext: {runAsUser: 1}, strategy: {rollingUpdate: {maxSurge: 1}}}}}}\n", ""},
		"a mapping that is none": {"kind: IstioOperator\nspec: {meshConfig: 1}\n", "spec.meshConfig of the IstioOperator is 1"},
	} {
		err := CheckValues([]byte(c.content), "values.yaml", false)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line, a usage error with %q", name, err, c.want)
		}
	}
}

func TestCheckValuesOfAKnownRelease(t *testing.T) {
	err := CheckValues([]byte("pilot: {nosuch: 1}\n"), "values.yaml", true)
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "spec.values.pilot.nosuch is no field of the Helm values of Istio 1.20") {
		t.Errorf("got %v", err)
	}
	err = CheckValues([]byte("meshConfig: {nosuch: 1}\n"), "values.yaml", true)
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "meshConfig.nosuch is no field of the MeshConfig") {
		t.Errorf("got %v", err)
	}
	if err := CheckValues([]byte("pilot: {traceSampling: 5}\n"), "values.yaml", true); err != nil {
		t.Error(err)
	}
}

func TestEveryFileIsInstallable(t *testing.T) {
	for _, name := range Names() {
		content, err := parseTree(Operator(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := fitsAPI(content["spec"].(tree), name, true); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryFileIsKnown(t *testing.T) {
	for _, name := range Names() {
		// The release before is not the subject.
		if _, known := ofSubject[name]; !known && name != "openshift-before" {
			t.Errorf("%s.yaml is in no list of the subject's control planes", name)
		}
	}
	if len(ofSubject) != len(Names())-1 {
		t.Errorf("files are %q", Names())
	}
}
