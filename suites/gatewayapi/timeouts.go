package gatewayapi

import (
	"reflect"
	"time"

	"sigs.k8s.io/gateway-api/conformance/utils/config"
)

// timeouts returns upstream's default timeouts, each multiplied by a factor: on a machine that is not slow it is 1,
// so that they are upstream's own. The number of successes in a row stays as it is.
func timeouts(factor float64) config.TimeoutConfig {
	made := config.DefaultTimeoutConfig()
	fields := reflect.ValueOf(&made).Elem()
	for i := range fields.NumField() {
		if limit, ok := fields.Field(i).Interface().(time.Duration); ok {
			fields.Field(i).SetInt(int64(float64(limit) * factor))
		}
	}
	return made
}
