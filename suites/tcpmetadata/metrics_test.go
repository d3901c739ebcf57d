package tcpmetadata

import (
	"reflect"
	"testing"
)

func TestOpenedBySource(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want map[string]int
		err  bool
	}{
		"as a server, over several series": {
			page: `# TYPE istio_tcp_connections_opened_total counter
istio_tcp_connections_opened_total{reporter="destination",source_workload="client",connection_security_policy="mutual_tls"} 7
istio_tcp_connections_opened_total{reporter="destination",source_workload="client",connection_security_policy="none"} 2
istio_tcp_connections_opened_total{reporter="destination",source_workload="unknown"} 1
istio_tcp_connections_opened_total{reporter="source",source_workload="server"} 5
istio_tcp_connections_closed_total{reporter="destination",source_workload="client"} 9
`,
			want: map[string]int{"client": 9, "unknown": 1},
		},
		"without a type":   {page: "istio_tcp_connections_opened_total{reporter=\"destination\",source_workload=\"client\"} 3\n", want: map[string]int{"client": 3}},
		"not counted":      {page: "# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n", want: map[string]int{}},
		"not metrics":      {page: "{", err: true},
		"an empty page":    {page: "", want: map[string]int{}},
		"only as a client": {page: "istio_tcp_connections_opened_total{reporter=\"source\",source_workload=\"client\"} 3\n", want: map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openedBySource([]byte(c.page))
			if (err != nil) != c.err || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
