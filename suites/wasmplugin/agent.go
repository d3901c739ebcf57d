package wasmplugin

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
)

const (
	// agentPort is where pilot-agent serves its own counters beside its Envoy's.
	agentPort = 15020
	// counterOfFetches counts the modules that an agent fetched, by result (pkg/wasm/monitoring.go).
	counterOfFetches = "istio_agent_wasm_remote_fetch_count"

	downloadFailure  = "download_failure"
	checksumMismatch = "checksum_mismatched"
)

var fetchLine = regexp.MustCompile(`(?m)^` + counterOfFetches + `\{result="([^"]+)"\} (\d+)$`)

// parseFetches reads the results of fetches from an agent's page of counters.
func parseFetches(page string) map[string]int {
	results := map[string]int{}
	for _, found := range fetchLine.FindAllStringSubmatch(page, -1) {
		// A number that does not fit is none to compare with.
		if number, err := strconv.Atoi(found[2]); err == nil {
			results[found[1]] = number
		}
	}
	return results
}

// fetchesOf counts the fetches of the agent of a workload's sidecar, by result.
func fetchesOf(workload *echo.Workload) func(context.Context) (map[string]int, error) {
	return func(ctx context.Context) (map[string]int, error) {
		page, err := kube.Shared().PodGet(ctx, workload.Namespace, workload.Pod.Name, agentPort, "/stats/prometheus")
		return parseFetches(string(page)), err
	}
}

func recordFetches(ctx context.Context, workload *echo.Workload) {
	GinkgoHelper()
	results, err := fetchesOf(workload)(ctx)
	Expect(err).NotTo(HaveOccurred())
	evidence.Config("modules fetched by the agent of "+workload.Name, "%v", results)
	evidence.Replay("kubectl port-forward -n %s deploy/%s %d & sleep 1; curl -s localhost:%[3]d/stats/prometheus | grep %s",
		workload.Namespace, workload.Name, agentPort, counterOfFetches)
}

// connections is what a network plugin has logged: the connections it saw begin, and the bytes of each
// that has ended.
type connections struct {
	begun int
	ended []int
}

// parseConnections finds a plugin's lines in its proxy's log.
func parseConnections(log, plugin string) connections {
	var seen connections
	line := regexp.MustCompile(`wasm log \S+: ` + regexp.QuoteMeta(plugin) + `: (?:new connection|connection ends after (\d+) bytes)`)
	for _, found := range line.FindAllStringSubmatch(log, -1) {
		if found[1] == "" {
			seen.begun++
			continue
		}
		if size, err := strconv.Atoi(found[1]); err == nil {
			seen.ended = append(seen.ended, size)
		}
	}
	return seen
}

// since is what was logged after an earlier look.
func (c connections) since(earlier connections) connections {
	return connections{begun: c.begun - earlier.begun, ended: c.ended[len(earlier.ended):]}
}

// String is the connections in one line.
func (c connections) String() string {
	return fmt.Sprintf("%d begun, %d ended after %v bytes", c.begun, len(c.ended), c.ended)
}
