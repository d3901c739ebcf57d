package wasmplugin

import (
	"maps"
	"reflect"
	"testing"
)

func TestParseFetches(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want map[string]int
	}{
		"two results": {
			"# TYPE istio_agent_wasm_remote_fetch_count counter\nistio_agent_wasm_remote_fetch_count{result=\"download_failure\"} 2\n" +
				"istio_agent_wasm_remote_fetch_count{result=\"success\"} 13\n",
			map[string]int{"download_failure": 2, "success": 13},
		},
		"another counter": {"istio_agent_wasm_cache_lookup_count{hit=\"false\"} 3\n", map[string]int{}},
		"nothing":         {"", map[string]int{}},
	} {
		if got := parseFetches(c.page); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseConnections(t *testing.T) {
	const head = "2026-11-23T20:42:25.597Z\twarning\tenvoy wasm source/extensions/common/wasm/context.cc:1154\twasm log ns.counting: "
	const log = head + "counting: new connection\tthread=27\n" +
		head + "counting-outbound: new connection\tthread=27\n" +
		head + "counting: connection ends after 11 bytes\tthread=27\n" +
		"counting: new connection\n" +
		head + "counting: new connection\tthread=27\n"
	if got, want := parseConnections(log, "counting"), (connections{2, []int{11}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := parseConnections(log, "other"); got.begun != 0 || got.ended != nil {
		t.Errorf("another plugin: %s", got)
	}
}

func TestConnectionsSince(t *testing.T) {
	earlier := connections{begun: 2, ended: []int{11}}
	later := connections{begun: 5, ended: []int{11, 12, 13}}
	if got, want := later.since(earlier), (connections{3, []int{12, 13}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
