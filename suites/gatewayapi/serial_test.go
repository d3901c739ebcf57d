package gatewayapi

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance/tests"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/session"
)

func TestSerialIsUpstreamsOrder(t *testing.T) {
	for _, c := range []struct {
		job  *kindconfig.Job
		want int
	}{{nil, 4}, {&kindconfig.Job{}, 4}, {&kindconfig.Job{Serial: true}, 1}} {
		session.Begin(c.job)
		made, err := planned()
		if err != nil || len(made) != c.want {
			t.Errorf("job %+v gives %d lanes, %v; want %d", c.job, len(made), err, c.want)
		}
	}
	session.Begin(nil)
	for i, name := range serial().tests {
		if upstreams := tests.ConformanceTests[i].ShortName; name != upstreams {
			t.Errorf("test %d is %s, upstream's is %s", i, name, upstreams)
		}
	}
}
