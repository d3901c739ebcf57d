package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/xds/envoy"
)

// ecdsFilters masks Envoy's dump to the filters whose configuration comes by ECDS. Envoy keeps a section
// of that name for HTTP filters and another for network filters; asked for as resource it gives one of them.
const ecdsFilters = "ecds_filters"

// DiscoveredFilters are the filters whose configuration came by ECDS and is in use: the full name of
// the configuration's message by the filter's name (envoy.FilterName). A filter that a listener names and that is not here
// has no configuration yet.
func (p Proxy) DiscoveredFilters(ctx context.Context) (map[string]string, error) {
	types := map[string]string{}
	dump, err := p.ConfigDump(ctx, "", ecdsFilters)
	if noneMasked(err) {
		return types, nil
	}
	if err != nil {
		return nil, err
	}
	for _, section := range dump.GetConfigs() {
		var discovered adminv3.EcdsConfigDump
		if !section.MessageIs(&discovered) {
			continue
		}
		if err := unpack(section, &discovered); err != nil {
			return nil, fmt.Errorf("filters of %s: %w", p, err)
		}
		for _, entry := range discovered.GetEcdsFilters() {
			if entry.GetEcdsFilter() == nil {
				continue
			}
			var config corev3.TypedExtensionConfig
			if err := unpack(entry.GetEcdsFilter(), &config); err != nil {
				return nil, fmt.Errorf("filters of %s: %w", p, err)
			}
			types[envoy.FilterName(config.GetName())] = string(config.GetTypedConfig().MessageName())
		}
	}
	return types, nil
}

// noneMasked says whether Envoy refused a mask because no section has its field: there are none before the
// first filter that needs one.
func noneMasked(err error) bool {
	var status *kube.StatusError
	return errors.As(err, &status) && status.Code == http.StatusBadRequest && strings.Contains(status.Head, "could not be successfully applied")
}

// ModuleOf is the file that a Wasm filter configured by ECDS was loaded from; pilot-agent gives it the
// checksum of the module, or of its image, as name. It is empty where the filter runs no module.
func (p Proxy) ModuleOf(ctx context.Context, filter string) (string, error) {
	dump, err := p.RawConfigDump(ctx, "", ecdsFilters)
	if err != nil {
		return "", err
	}
	for _, section := range list(dump, "configs") {
		for _, entry := range list(section, ecdsFilters) {
			if config := field(entry, "ecds_filter"); named(config) == filter {
				file, _ := field(config, "typed_config", "config", "vm_config", "code", "local", "filename").(string)
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no configuration for filter %q", p, filter)
}

// named is the name of a filter's configuration (envoy.FilterName); empty where there is none.
func named(config any) string {
	name, _ := field(config, "name").(string)
	return envoy.FilterName(name)
}

// field follows a path into generic JSON, nil where it ends.
func field(value any, path ...string) any {
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func list(value any, name string) []any {
	elements, _ := field(value, name).([]any)
	return elements
}
