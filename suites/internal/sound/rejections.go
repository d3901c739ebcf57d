package sound

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The metrics in which istiod 1.20 counts what proxies refuse (pilot/pkg/xds/monitoring.go).
const (
	metricConnected = "pilot_xds"
	metricRejects   = "pilot_total_xds_rejects"
	// metricBuild is on every istiod's page: its lack means that the page is another one.
	metricBuild = "istio_build"
)

// typeOfReject maps the gauges that name the refusing proxy to their type. A gauge says that
// a proxy refused, not how often: it is set to one, never raised.
var typeOfReject = map[string]string{
	"pilot_xds_cds_reject": "cds",
	"pilot_xds_lds_reject": "lds",
	"pilot_xds_rds_reject": "rds",
	"pilot_xds_eds_reject": "eds",
}

// account is what one istiod says of the proxies connected to it.
type account struct {
	// connected is the number of proxies on its xDS streams.
	connected int
	// rejects counts refused responses by type.
	rejects map[string]int
	// nodes are the proxies, as pod.namespace, that refused a type.
	nodes map[string][]string
}

// parseMetrics reads an istiod's metrics page.
func parseMetrics(page []byte) (account, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return account{}, fmt.Errorf("read the metrics: %w", err)
	}
	if families[metricBuild] == nil {
		return account{}, fmt.Errorf("read the metrics: no %s among %d metrics, this is no istiod's page", metricBuild, len(families))
	}
	read := account{rejects: map[string]int{}, nodes: map[string][]string{}}
	for _, series := range families[metricConnected].GetMetric() {
		read.connected += int(value(series))
	}
	for _, series := range families[metricRejects].GetMetric() {
		read.rejects[label(series, "type")] += int(value(series))
	}
	for name, kind := range typeOfReject {
		for _, series := range families[name].GetMetric() {
			if value(series) > 0 {
				read.nodes[kind] = append(read.nodes[kind], label(series, "node"))
			}
		}
	}
	return read, nil
}

// value takes a metric for what it holds: exporters differ on which of istiod's are untyped.
func value(metric *dto.Metric) float64 {
	switch {
	case metric.GetCounter() != nil:
		return metric.GetCounter().GetValue()
	case metric.GetGauge() != nil:
		return metric.GetGauge().GetValue()
	default:
		return metric.GetUntyped().GetValue()
	}
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// refusal is the line istiod logs for each refused response (pilot/pkg/xds/ads.go): type,
// connection (pod.namespace-number) and the proxy's reason.
var refusal = regexp.MustCompile(`ADS:(\S+): ACK ERROR (\S+)-\d+ (.*)`)

// messages gives the messages of a log, each in one line: what lists several errors has lines that begin with a tab,
// and empty ones behind them.
func messages(log string) []string {
	var joined []string
	for line := range strings.Lines(log) {
		if last := len(joined) - 1; last >= 0 && strings.HasPrefix(line, "\t") {
			joined[last] += " " + strings.TrimSpace(line)
			continue
		}
		joined = append(joined, strings.TrimRight(line, "\n"))
	}
	return joined
}

// rejections gives a finding per kind of refusal that one istiod knows of. The counters say
// how many there are, the log says who and why; what the log lacks is a finding all the same.
func rejections(istiod string, read account, log string) []string {
	counted := map[string]int{}
	logged := map[string]int{}
	named := map[string]bool{}
	for _, line := range messages(log) {
		match := refusal.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		kind, node := strings.ToLower(match[1]), match[2]
		logged[kind]++
		named[kind+" "+node] = true
		counted[fmt.Sprintf("%s: %s refused %s: %s", istiod, node, kind, strings.TrimSpace(match[3]))]++
	}
	var findings []string
	for _, finding := range slices.Sorted(maps.Keys(counted)) {
		findings = append(findings, fmt.Sprintf("%s (×%d)", finding, counted[finding]))
	}
	for _, kind := range slices.Sorted(maps.Keys(read.nodes)) {
		for _, node := range read.nodes[kind] {
			if !named[kind+" "+node] {
				findings = append(findings, fmt.Sprintf("%s: %s refused %s, for a reason its log no longer holds", istiod, node, kind))
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(read.rejects)) {
		if missing := read.rejects[kind] - logged[kind]; missing > 0 {
			findings = append(findings, fmt.Sprintf("%s: %d refusals of %s were counted, %d of them are not in its log",
				istiod, read.rejects[kind], kind, missing))
		}
	}
	return findings
}
