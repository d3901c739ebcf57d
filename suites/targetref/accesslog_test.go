package targetref

import (
	"reflect"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/xds/envoy"
)

func wrap(t *testing.T, message proto.Message) *anypb.Any {
	t.Helper()
	wrapped, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// chains decodes one filter chain per connection manager, and one for TCP without any.
func chains(t *testing.T, managers ...*hcmv3.HttpConnectionManager) []envoy.Chain {
	t.Helper()
	listener := &listenerv3.Listener{FilterChains: []*listenerv3.FilterChain{{Name: "tcp"}}}
	for _, manager := range managers {
		manager.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "http"}}
		listener.FilterChains = append(listener.FilterChains, &listenerv3.FilterChain{Name: "http", Filters: []*listenerv3.Filter{{
			Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(t, manager)},
		}}})
	}
	decoded, err := envoy.Chains(listener)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestLoggersOfConnectionManagersOnly(t *testing.T) {
	silent := &hcmv3.HttpConnectionManager{}
	logging := &hcmv3.HttpConnectionManager{AccessLog: []*accesslogv3.AccessLog{{Name: "file"}, {Name: "als"}}}
	got, err := loggersOf(chains(t, silent, logging))
	if want := [][]string{{}, {"file", "als"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := loggersOf(chains(t)); err != nil || len(got) != 0 {
		t.Errorf("of TCP only: %q, %v", got, err)
	}
}

func TestKeysOfEveryChain(t *testing.T) {
	inline := func(issuer, keys string) *jwtv3.JwtProvider {
		return &jwtv3.JwtProvider{Issuer: issuer, JwksSourceSpecifier: &jwtv3.JwtProvider_LocalJwks{LocalJwks: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: keys},
		}}}
	}
	filter := func(name string, config proto.Message) *hcmv3.HttpFilter {
		return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(t, config)}}
	}
	verifying := &hcmv3.HttpConnectionManager{HttpFilters: []*hcmv3.HttpFilter{
		filter(jwtAuthn, &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{"origins-0": inline("b", "keys"), "origins-1": inline("a", "keys")}}),
	}}
	trusting := &hcmv3.HttpConnectionManager{HttpFilters: []*hcmv3.HttpFilter{filter("other", &jwtv3.JwtAuthentication{})}}
	got, err := keysOf(chains(t, verifying, trusting))
	if want := [][]string{{keyOf("a", "keys"), keyOf("b", "keys")}, {}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	broken := &hcmv3.HttpConnectionManager{HttpFilters: []*hcmv3.HttpFilter{filter(jwtAuthn, &hcmv3.Rds{})}}
	if _, err := keysOf(chains(t, broken)); err == nil {
		t.Error("another message passes for a configuration of jwt_authn")
	}
}

func TestKeysAreToldApart(t *testing.T) {
	one, other := keyOf("issuer", `{"keys":[1]}`), keyOf("issuer", `{"keys":[2]}`)
	if one == other || len(one) != len("issuer ")+8 || one != keyOf("issuer", `{"keys":[1]}`) {
		t.Errorf("%q and %q", one, other)
	}
}

func TestLinesWith(t *testing.T) {
	const log = "GET /log-1 200\nGET /log-1 200\nGET /other 200\n"
	for text, want := range map[string]int{"/log-1": 2, "/other": 1, "/log-2": 0} {
		if got := linesWith(log, text); got != want {
			t.Errorf("%d lines with %s, not %d", got, text, want)
		}
	}
	if got := linesWith("", "/log-1"); got != 0 {
		t.Errorf("%d lines in an empty log", got)
	}
}
