// Package envoy reads Envoy's resources the way specs speak of them: filter chains, ordered
// filters, mirrors, ALPN lists. It does not matter who holds the resource, istiod (package
// xds) or a proxy (package proxy).
package envoy

import (
	"fmt"
	"strings"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	xdstype "github.com/cncf/xds/go/xds/type/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Filter is one filter of a listener, a filter chain, an HTTP connection manager or a cluster.
type Filter struct {
	Name string
	// Type is the full name of the configuration's message; where Istio wraps a message that
	// Envoy's API does not have in a TypedStruct, the inner one. It is empty without a configuration.
	Type string
	// Discovered says that the configuration comes by ECDS and only its types are known here.
	Discovered bool
	// Config is the configuration as it came; nil where there is none.
	Config *anypb.Any
}

// Fields gives the configuration of a wrapped filter as generic data, nil for any other.
func (f Filter) Fields() map[string]any {
	_, fields := unwrap(f.Config)
	if fields == nil {
		return nil
	}
	return fields.AsMap()
}

// Names are the names of filters in their order.
func Names(filters []Filter) []string {
	names := make([]string, 0, len(filters))
	for _, filter := range filters {
		names = append(names, filter.Name)
	}
	return names
}

// Named finds a filter by its name.
func Named(filters []Filter, name string) (Filter, bool) {
	for _, filter := range filters {
		if filter.Name == name {
			return filter, true
		}
	}
	return Filter{}, false
}

// configured is what the four kinds of filter messages have in common.
type configured interface {
	GetName() string
	GetTypedConfig() *anypb.Any
}

// discovered is a filter message whose configuration may come by ECDS; a cluster's filter,
// which has another message for it, does not count.
type discovered interface {
	GetConfigDiscovery() *corev3.ExtensionConfigSource
}

func filtersOf[F configured](messages []F) []Filter {
	filters := make([]Filter, 0, len(messages))
	for _, message := range messages {
		filter := Filter{Name: FilterName(message.GetName()), Config: message.GetTypedConfig()}
		filter.Type, _ = unwrap(filter.Config)
		if source, ok := any(message).(discovered); ok && source.GetConfigDiscovery() != nil {
			filter.Discovered = true
			filter.Type = strings.Join(shortTypes(source.GetConfigDiscovery().GetTypeUrls()), "|")
		}
		filters = append(filters, filter)
	}
	return filters
}

// unwrap gives the name of the configuration's message and, for a TypedStruct, its data.
func unwrap(config *anypb.Any) (name string, fields *structpb.Struct) {
	if config == nil {
		return "", nil
	}
	var old udpa.TypedStruct
	if config.MessageIs(&old) && config.UnmarshalTo(&old) == nil {
		return shortType(old.GetTypeUrl()), old.GetValue()
	}
	var current xdstype.TypedStruct
	if config.MessageIs(&current) && config.UnmarshalTo(&current) == nil {
		return shortType(current.GetTypeUrl()), current.GetValue()
	}
	return shortType(config.GetTypeUrl()), nil
}

func shortType(url string) string { return url[strings.LastIndex(url, "/")+1:] }

func shortTypes(urls []string) []string {
	short := make([]string, 0, len(urls))
	for _, url := range urls {
		short = append(short, shortType(url))
	}
	return short
}

// String is the filter in one line.
func (f Filter) String() string { return fmt.Sprintf("%s (%s)", f.Name, f.Type) }

// FilterName returns the name of a filter without what istiod puts before the name of a WasmPlugin, NAMESPACE.NAME: since
// 1.21 that is "extenstions.istio.io/wasmplugin/" (pilot/pkg/model/extensions.go), before it was nothing.
func FilterName(name string) string {
	if _, plugin, prefixed := strings.Cut(name, "/wasmplugin/"); prefixed {
		return plugin
	}
	return name
}
