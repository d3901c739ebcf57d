package proxy

import (
	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

func healthy(status *adminv3.HostHealthStatus) bool {
	if status.GetFailedActiveHealthCheck() || status.GetFailedOutlierCheck() ||
		status.GetPendingDynamicRemoval() || status.GetPendingActiveHc() {
		return false
	}
	switch status.GetEdsHealthStatus() {
	case corev3.HealthStatus_UNKNOWN, corev3.HealthStatus_HEALTHY:
		return true
	default:
		return false
	}
}
