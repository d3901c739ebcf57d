package tcpmetadata

import (
	"bytes"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metricOpened is Istio's count of TCP connections.
const metricOpened = "istio_tcp_connections_opened_total"

// openedBySource reads a proxy's metrics page: how many TCP connections it counts as their server, by the
// workload of the client. A proxy that counts none gives an empty answer.
func openedBySource(page []byte) (map[string]int, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	opened := map[string]int{}
	for _, series := range families[metricOpened].GetMetric() {
		if labelOf(series, "reporter") != "destination" {
			continue
		}
		// Which of a counter and an untyped metric it is, the exporter decides.
		opened[labelOf(series, "source_workload")] += int(series.GetCounter().GetValue() + series.GetUntyped().GetValue())
	}
	return opened, nil
}

func labelOf(series *dto.Metric, name string) string {
	for _, pair := range series.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
