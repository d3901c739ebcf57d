package proxy

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// rejectedFilter selects the counters of rejected xDS updates. Of those, Istio's stats matcher
// keeps LDS and CDS; what RDS, EDS and ECDS reject shows in the dump's error states.
const rejectedFilter = `\.update_rejected$`

// Rejected is what a proxy refused of what it was sent.
type Rejected struct {
	// Counters are the *.update_rejected counters the proxy keeps, zeros included: their
	// number says how much was looked at.
	Counters map[string]int64
	// Errors are the resources whose last update is refused right now, with Envoy's reason.
	Errors []string
}

// Lines names what was refused, nothing if nothing was.
func (r Rejected) Lines() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(r.Counters)) {
		if r.Counters[name] != 0 {
			lines = append(lines, fmt.Sprintf("%s: %d", name, r.Counters[name]))
		}
	}
	return append(lines, r.Errors...)
}

// Rejected asks for the counters of rejected updates and for refused resources.
func (p Proxy) Rejected(ctx context.Context) (Rejected, error) {
	counters, err := p.Stats(ctx, rejectedFilter)
	if err != nil {
		return Rejected{}, err
	}
	dump, err := p.ConfigDump(ctx, "")
	if err != nil {
		return Rejected{}, err
	}
	failures, err := failures(dump)
	if err != nil {
		return Rejected{}, fmt.Errorf("refused resources of %s: %w", p, err)
	}
	return Rejected{Counters: counters, Errors: failures}, nil
}

// failing is every kind of dump entry that may carry a refused update.
type failing interface {
	GetErrorState() *adminv3.UpdateFailureState
}

func failures(dump *adminv3.ConfigDump) ([]string, error) {
	var lines []string
	for _, section := range dump.GetConfigs() {
		entries, err := entriesOf(section)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if state := entry.GetErrorState(); state != nil {
				kind := section.GetTypeUrl()[strings.LastIndex(section.GetTypeUrl(), ".")+1:]
				lines = append(lines, fmt.Sprintf("%s: %s", kind, state.GetDetails()))
			}
		}
	}
	// Envoy may list one refusal twice: under the resource's name and, after a restart of the
	// subscription, without.
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

func entriesOf(section *anypb.Any) ([]failing, error) {
	var listeners adminv3.ListenersConfigDump
	var clusters adminv3.ClustersConfigDump
	var routes adminv3.RoutesConfigDump
	var endpoints adminv3.EndpointsConfigDump
	var extensions adminv3.EcdsConfigDump
	switch {
	case section.MessageIs(&listeners):
		err := unpack(section, &listeners)
		return entries(listeners.GetDynamicListeners()), err
	case section.MessageIs(&clusters):
		err := unpack(section, &clusters)
		return append(entries(clusters.GetDynamicActiveClusters()), entries(clusters.GetDynamicWarmingClusters())...), err
	case section.MessageIs(&routes):
		err := unpack(section, &routes)
		return entries(routes.GetDynamicRouteConfigs()), err
	case section.MessageIs(&endpoints):
		err := unpack(section, &endpoints)
		return entries(endpoints.GetDynamicEndpointConfigs()), err
	case section.MessageIs(&extensions):
		err := unpack(section, &extensions)
		return entries(extensions.GetEcdsFilters()), err
	default:
		return nil, nil
	}
}

func entries[E failing](list []E) []failing {
	all := make([]failing, 0, len(list))
	for _, entry := range list {
		all = append(all, entry)
	}
	return all
}

// ParseStats reads the text form of Envoy's statistics. Histograms and text readouts, which
// are no single number, are left out.
func ParseStats(text string) map[string]int64 {
	stats := map[string]int64{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		// Names hold colons (addresses), never colon and blank.
		name, value, ok := strings.Cut(lines.Text(), ": ")
		if !ok {
			continue
		}
		if number, err := strconv.ParseInt(value, 10, 64); err == nil {
			stats[name] = number
		}
	}
	return stats
}
