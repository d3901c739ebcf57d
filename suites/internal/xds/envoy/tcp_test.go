package envoy

import (
	"slices"
	"testing"

	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestTCPDestinations(t *testing.T) {
	other := Filter{Name: "other", Config: wrap(t, &routerv3.Router{})}
	one := Filter{Name: "tcp", Config: wrap(t, &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "a"}})}
	weighted := Filter{Name: "tcp", Config: wrap(t, &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_WeightedClusters{
		WeightedClusters: &tcpv3.TcpProxy_WeightedCluster{Clusters: []*tcpv3.TcpProxy_WeightedCluster_ClusterWeight{{Name: "b", Weight: 1}, {Name: "c", Weight: 1}}},
	}})}
	for _, c := range []struct {
		name  string
		chain Chain
		want  []string
	}{
		{"no filter", Chain{}, nil},
		{"no TCP proxy", Chain{Network: []Filter{other, {Name: "without configuration"}}}, nil},
		{"one cluster", Chain{Network: []Filter{other, one}}, []string{"a"}},
		{"weighted clusters", Chain{Network: []Filter{weighted}}, []string{"b", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := TCPDestinations(c.chain)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("TCPDestinations() = %q, %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("a broken configuration", func(t *testing.T) {
		broken := &anypb.Any{TypeUrl: one.Config.GetTypeUrl(), Value: []byte{0xff}}
		if got, err := TCPDestinations(Chain{Network: []Filter{{Name: "tcp", Config: broken}}}); err == nil {
			t.Errorf("TCPDestinations() = %q, want an error", got)
		}
	})
}
