// Package proxy asks one Envoy, a sidecar or a gateway, through its admin interface: what it
// runs, what configuration has arrived, what it rejected, what it counted.
package proxy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	// Linked for what Istio configures and specs look into; see decode for all the others.
	_ "github.com/cncf/xds/go/udpa/type/v1"
	_ "github.com/cncf/xds/go/xds/type/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"mesh-conformance/suites/internal/kube"
)

// adminPort is where pilot-agent has Envoy's admin interface listen, on loopback.
const adminPort = 15000

// getter is the one thing asked of the cluster; *kube.Client is it.
type getter interface {
	PodGet(ctx context.Context, namespace, pod string, port int, path string) ([]byte, error)
}

// Proxy is the Envoy of one pod.
type Proxy struct {
	Namespace, Pod string
	// port of the admin interface where it is not adminPort; else 0.
	port    int
	cluster getter
}

// Of is the proxy of a pod. It sends no request.
func Of(client *kube.Client, namespace, pod string) Proxy {
	return Proxy{Namespace: namespace, Pod: pod, cluster: client}
}

// At is the proxy of a pod whose admin interface listens on a port of its own. It sends no request.
func At(client *kube.Client, namespace, pod string, port int) Proxy {
	return Proxy{Namespace: namespace, Pod: pod, port: port, cluster: client}
}

// String is the pod's name as istiod writes it.
func (p Proxy) String() string { return p.Pod + "." + p.Namespace }

// Admin gives what a path of the admin interface answers, undecoded.
func (p Proxy) Admin(ctx context.Context, path string) ([]byte, error) {
	return p.cluster.PodGet(ctx, p.Namespace, p.Pod, cmp.Or(p.port, adminPort), path)
}

// ServerInfo is Envoy's own account of itself.
func (p Proxy) ServerInfo(ctx context.Context) (*adminv3.ServerInfo, error) {
	content, err := p.Admin(ctx, "/server_info")
	if err != nil {
		return nil, err
	}
	info := &adminv3.ServerInfo{}
	if err := decode(content, info); err != nil {
		return nil, fmt.Errorf("server info of %s: %w", p, err)
	}
	return info, nil
}

// Version is Envoy's version without commit and build flavour, for example 1.40.0.
func (p Proxy) Version(ctx context.Context) (string, error) {
	info, err := p.ServerInfo(ctx)
	if err != nil {
		return "", err
	}
	// commit/version/state/build/TLS library
	parts := strings.Split(info.GetVersion(), "/")
	if len(parts) < 2 || parts[1] == "" {
		return "", fmt.Errorf("%s gives the version %q, which has no number", p, info.GetVersion())
	}
	return parts[1], nil
}

// Extensions are the extensions compiled into this Envoy, by its own list.
func (p Proxy) Extensions(ctx context.Context) (Extensions, error) {
	info, err := p.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	list := info.GetNode().GetExtensions()
	if len(list) == 0 {
		dump, err := p.ConfigDump(ctx, "")
		if err != nil {
			return nil, err
		}
		bootstrap, err := first[adminv3.BootstrapConfigDump](dump)
		if err != nil {
			return nil, fmt.Errorf("extensions of %s: %w", p, err)
		}
		list = bootstrap.GetBootstrap().GetNode().GetExtensions()
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s lists no extension, neither in its server info nor in its bootstrap", p)
	}
	return list, nil
}

// Extensions is an Envoy's list of what is compiled into it.
type Extensions []*corev3.Extension

// Names lists the extensions that are enabled, sorted, each once: one that Envoy registers in several categories stands in
// its list several times.
func (e Extensions) Names() []string {
	var names []string
	for _, extension := range e {
		if !extension.GetDisabled() {
			names = append(names, extension.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Has says whether an extension is there and enabled, by its name (envoy.filters.http.lua)
// or by the message that configures it.
func (e Extensions) Has(nameOrType string) bool {
	for _, extension := range e {
		if extension.GetDisabled() {
			continue
		}
		if extension.GetName() == nameOrType {
			return true
		}
		for _, configuredBy := range extension.GetTypeUrls() {
			if configuredBy == nameOrType {
				return true
			}
		}
	}
	return false
}

// ConfigDump gives the proxy's configuration: all of it, endpoints included, or with a
// resource (for example dynamic_listeners) and masks only that part.
func (p Proxy) ConfigDump(ctx context.Context, resource string, mask ...string) (*adminv3.ConfigDump, error) {
	content, err := p.Admin(ctx, dumpPath(resource, mask))
	if err != nil {
		return nil, err
	}
	dump := &adminv3.ConfigDump{}
	if err := decode(content, dump); err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", p, err)
	}
	return dump, nil
}

// RawConfigDump is ConfigDump as generic JSON, for fields that no linked message has.
func (p Proxy) RawConfigDump(ctx context.Context, resource string, mask ...string) (map[string]any, error) {
	content, err := p.Admin(ctx, dumpPath(resource, mask))
	if err != nil {
		return nil, err
	}
	var dump map[string]any
	if err := json.Unmarshal(content, &dump); err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", p, err)
	}
	return dump, nil
}

func dumpPath(resource string, mask []string) string {
	query := url.Values{}
	if resource != "" {
		query.Set("resource", resource)
	} else {
		query.Set("include_eds", "")
	}
	if len(mask) > 0 {
		query.Set("mask", strings.Join(mask, ","))
	}
	return "/config_dump?" + strings.TrimSuffix(query.Encode(), "=")
}

var errAbsent = errors.New("not in the dump")

// first finds the section of a message type in a dump; errAbsent if there is none.
func first[M any, P interface {
	*M
	proto.Message
}](dump *adminv3.ConfigDump) (P, error) {
	wanted := P(new(M))
	for _, section := range dump.GetConfigs() {
		if section.MessageIs(wanted) {
			return wanted, unpack(section, wanted)
		}
	}
	return nil, fmt.Errorf("%s: %w", wanted.ProtoReflect().Descriptor().Name(), errAbsent)
}

func unpack(section *anypb.Any, into proto.Message) error {
	if err := section.UnmarshalTo(into); err != nil {
		return fmt.Errorf("decode %s: %w", section.GetTypeUrl(), err)
	}
	return nil
}

// Stats gives the counters and gauges whose names match a regular expression in Envoy's
// syntax. A statistic that the proxy's stats matcher leaves out is missing, not zero.
func (p Proxy) Stats(ctx context.Context, filter string) (map[string]int64, error) {
	if _, err := regexp.Compile(filter); err != nil {
		return nil, fmt.Errorf("statistics of %s: %w", p, err)
	}
	content, err := p.Admin(ctx, "/stats?filter="+url.QueryEscape(filter))
	if err != nil {
		return nil, err
	}
	return ParseStats(string(content)), nil
}
