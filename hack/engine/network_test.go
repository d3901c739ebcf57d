package engine

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const routeTable = `default via 192.0.2.1 dev eth0
172.31.5.0/24 dev office proto kernel scope link src 172.31.5.5
172.30.0.9 via 192.0.2.7 dev eth0
blackhole 172.29.128.0/17
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2
`

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestRoutes(t *testing.T) {
	want := prefixes("172.31.5.0/24", "172.30.0.9/32", "172.29.128.0/17", "127.0.0.0/8", "192.0.2.255/32")
	if got := routes(routeTable); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFreePool(t *testing.T) {
	none := netip.Prefix{}
	cases := map[string]struct {
		used      []netip.Prefix
		preferred netip.Prefix
		want      string
	}{
		"the first where all are free":    {nil, none, "172.31.0.0/16"},
		"past routes inside":              {routes(routeTable), none, "172.28.0.0/16"},
		"past a route around":             {prefixes("172.16.0.0/12"), none, "192.168.0.0/16"},
		"the last of all":                 {prefixes("172.16.0.0/12", "192.168.3.0/24"), none, "10.209.0.0/16"},
		"the one of last time":            {nil, netip.MustParsePrefix("172.20.0.0/16"), "172.20.0.0/16"},
		"not last time's when it is used": {prefixes("172.20.9.0/24"), netip.MustParsePrefix("172.20.0.0/16"), "172.31.0.0/16"},
		"not what was never a candidate":  {nil, netip.MustParsePrefix("8.8.0.0/16"), "172.31.0.0/16"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := freePool(c.used, c.preferred)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got, err := freePool(prefixes("0.0.0.0/1", "128.0.0.0/1"), none); err == nil {
		t.Errorf("got %s although everything is used", got)
	}
}

func TestPoolsKeepClearOfKindsOwnRanges(t *testing.T) {
	for _, pool := range candidatePools() {
		for _, kinds := range prefixes("10.244.0.0/16", "10.96.0.0/12") {
			if pool.Overlaps(kinds) {
				t.Errorf("%s overlaps %s", pool, kinds)
			}
		}
	}
}

func TestBridgesAreReadFromTheDeadEnginesDatabase(t *testing.T) {
	at := layoutOf(t.TempDir())
	got, err := at.storedBridges()
	if want := []string{at.bridge()}; err != nil || !slices.Equal(got, want) {
		t.Errorf("without a database: %v, %v; want %v", got, err, want)
	}
	folder := filepath.Join(at.data(), "network", "files")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	first, second := strings.Repeat("0a", 32), strings.Repeat("f1", 32)
	database := fmt.Sprintf("\x00\x01docker/network/v1.0/network/%s/\x00{}docker/network/v1.0/network/%s/"+
		"\x02docker/network/v1.0/network/%s/ docker/network/v1.0/endpoint/%s/", first, second, first, strings.Repeat("ee", 32))
	if err := os.WriteFile(filepath.Join(folder, "local-kv.db"), []byte(database), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = at.storedBridges()
	if want := []string{at.bridge(), "br-" + first[:12], "br-" + second[:12]}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestIsNetworkIn(t *testing.T) {
	pool := netip.MustParsePrefix("172.31.0.0/16")
	address := func(text string) []net.Addr {
		ip, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		return []net.Addr{&net.IPNet{IP: net.ParseIP("fe80::1"), Mask: net.CIDRMask(64, 128)}, &net.IPNet{IP: ip, Mask: network.Mask}}
	}
	cases := map[string]struct {
		pool      netip.Prefix
		name      string
		addresses []net.Addr
		want      bool
	}{
		"a network of the pool":       {pool, "br-0123456789ab", address("172.31.16.1/20"), true},
		"another engine's network":    {pool, "br-0123456789ab", address("172.17.0.1/16"), false},
		"a person's bridge":           {pool, "br-office", address("172.31.16.1/20"), false},
		"a network without addresses": {pool, "br-0123456789ab", nil, false},
		"an unknown pool":             {netip.Prefix{}, "br-0123456789ab", address("172.31.16.1/20"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isNetworkIn(c.pool, c.name, c.addresses); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestNamesFitTheKernel(t *testing.T) {
	at := layoutOf("/" + strings.Repeat("a very long home/", 40))
	if length := len(at.bridge()); length > 15 {
		t.Errorf("bridge %s has %d bytes, the kernel takes 15", at.bridge(), length)
	}
	containerd := filepath.Join(at.exec(), "containerd", "containerd-debug.sock")
	for _, socket := range []string{at.socket(), containerd} {
		if length := len(socket); length >= 108 {
			t.Errorf("socket %s has %d bytes, the kernel takes 107", socket, length)
		}
	}
	if other := layoutOf("/home"); other.run() == at.run() {
		t.Error("two homes share a run directory")
	}
}
