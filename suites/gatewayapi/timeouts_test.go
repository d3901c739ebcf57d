package gatewayapi

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance/utils/config"
)

func TestTimeouts(t *testing.T) {
	upstreams := config.DefaultTimeoutConfig()
	if got := timeouts(1); got != upstreams {
		t.Errorf("on a machine that is not slow: %+v", got)
	}
	got := timeouts(2.5)
	if got.MaxTimeToConsistency != upstreams.MaxTimeToConsistency*5/2 || got.CreateTimeout != upstreams.CreateTimeout*5/2 {
		t.Errorf("stretched: %+v", got)
	}
	if got.RequiredConsecutiveSuccesses != upstreams.RequiredConsecutiveSuccesses {
		t.Errorf("%d successes in a row", got.RequiredConsecutiveSuccesses)
	}
}
