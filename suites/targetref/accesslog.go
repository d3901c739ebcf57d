package targetref

import (
	"context"
	"fmt"
	"strings"
	"time"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/xds/envoy"
)

// loggers are the names of the access logs of HTTP connection managers.
var loggers = reading("access logs", loggersOf)

// loggersOf are the names of the access logs of those filter chains that have an HTTP connection manager.
func loggersOf(chains []envoy.Chain) ([][]string, error) {
	var lists [][]string
	for _, chain := range chains {
		for _, filter := range chain.Network {
			var manager hcmv3.HttpConnectionManager
			if !filter.Config.MessageIs(&manager) {
				continue
			}
			if err := filter.Config.UnmarshalTo(&manager); err != nil {
				return nil, fmt.Errorf("connection manager of chain %s: %w", chain.Name, err)
			}
			names := []string{}
			for _, log := range manager.GetAccessLog() {
				names = append(names, log.GetName())
			}
			lists = append(lists, names)
		}
	}
	return lists, nil
}

// logged counts the lines of the proxy's log that have a text.
func (e entrance) logged(ctx context.Context, text string) (int, error) {
	log, err := kube.Shared().Logs(ctx, e.proxy.Namespace, e.proxy.Pod, sidecar.Container, time.Time{})
	if err != nil {
		return 0, err
	}
	return linesWith(log, text), nil
}

func linesWith(log, text string) int {
	count := 0
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// replayLog records how a user counts the same lines.
func (e entrance) replayLog(text string) {
	evidence.Replay("kubectl logs -n %s %s -c %s | grep -c %s", e.proxy.Namespace, e.proxy.Pod, sidecar.Container, text)
}
