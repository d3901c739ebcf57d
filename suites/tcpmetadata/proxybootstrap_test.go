package tcpmetadata

import (
	"reflect"
	"strings"
	"testing"
)

const bootstrapText = `{
  "node": {"id": "sidecar~10.0.0.1~a.ns~ns", "metadata": {"METADATA_DISCOVERY": "true"}},
  "bootstrap_extensions": [
    {"name": "metadata_discovery", "typed_config": {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
      "type_url": "type.googleapis.com/istio.workload.BootstrapExtension", "value": {"config_source": {"ads": {}}}}},
    {"name": "bare"}
  ],
  "dynamic_resources": {"ads_config": {"api_type": "GRPC"}},
  "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": "reporter="}, {"suffix": "x"}, {"prefix": "workload_discovery"}]}}}
}`

func TestParseBootstrap(t *testing.T) {
	held, err := parseBootstrap([]byte(bootstrapText))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]extension{
		"metadata_discovery": {"istio.workload.BootstrapExtension", map[string]any{"config_source": map[string]any{"ads": map[string]any{}}}},
		"bare":               {},
	}
	if got := held.extensions(); !reflect.DeepEqual(got, want) {
		t.Errorf("extensions = %v", got)
	}
	if got := held.prefixes(); !reflect.DeepEqual(got, []string{"reporter=", "workload_discovery"}) {
		t.Errorf("prefixes = %q", got)
	}
	if held.Node.Metadata["METADATA_DISCOVERY"] != "true" || held.DynamicResources.ADSConfig.APIType != "GRPC" {
		t.Errorf("held = %+v", held)
	}
}

func TestParseBootstrapRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"half a file": {bootstrapText[:200], "read a bootstrap of 200 bytes"},
		"no node":     {`{}`, "describes no node"},
		"nothing":     {``, "read a bootstrap of 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseBootstrap([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
