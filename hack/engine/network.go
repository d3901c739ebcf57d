package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

const (
	// poolBits and subnetBits make sixteen networks of 4094 addresses each.
	poolBits   = 16
	subnetBits = 20
)

// candidatePools are private ranges that neither kind's pods (10.244.0.0/16) nor its services
// (10.96.0.0/16) use, the least usual first.
func candidatePools() []netip.Prefix {
	var pools []netip.Prefix
	for second := 31; second >= 17; second-- {
		pools = append(pools, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(second), 0, 0}), poolBits))
	}
	pools = append(pools, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 0, 0}), poolBits))
	for second := 209; second >= 200; second-- {
		pools = append(pools, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(second), 0, 0}), poolBits))
	}
	return pools
}

// freePool is the first pool that no route of the host touches; the preferred one if it is free.
func freePool(used []netip.Prefix, preferred netip.Prefix) (netip.Prefix, error) {
	candidates := candidatePools()
	if slices.Contains(candidates, preferred) {
		candidates = append([]netip.Prefix{preferred}, candidates...)
	}
	for _, candidate := range candidates {
		if !slices.ContainsFunc(used, candidate.Overlaps) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, problem.Environment("no private address range is left for the container engine", "",
		"remove a route to one of 172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16, 10.200.0.0/16 to 10.209.0.0/16", nil)
}

// routes are the destinations in the output of "ip -4 route show table all". The default
// route covers everything and means nothing here.
func routes(text string) []netip.Prefix {
	var all []netip.Prefix
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		// The route's type comes first where it is not unicast.
		for _, word := range words[:min(2, len(words))] {
			if prefix, err := netip.ParsePrefix(word); err == nil {
				if prefix.Bits() > 0 {
					all = append(all, prefix.Masked())
				}
				break
			}
			if address, err := netip.ParseAddr(word); err == nil {
				all = append(all, netip.PrefixFrom(address, address.BitLen()))
				break
			}
		}
	}
	return all
}

// choosePool takes the range of the last time, since the data may hold networks in it, or
// the first that is free.
func choosePool(ctx context.Context, at layout) (netip.Prefix, error) {
	text, err := runIP(ctx, "-4", "route", "show", "table", "all")
	if err != nil {
		return netip.Prefix{}, err
	}
	var preferred netip.Prefix
	if last, err := os.ReadFile(at.poolFile()); err == nil {
		// What cannot be read is no preference.
		preferred, _ = netip.ParsePrefix(strings.TrimSpace(string(last)))
	}
	pool, err := freePool(routes(text), preferred)
	if err != nil {
		return netip.Prefix{}, err
	}
	if err := os.WriteFile(at.poolFile(), []byte(pool.String()+"\n"), 0o644); err != nil {
		return netip.Prefix{}, fmt.Errorf("remember the engine's address range: %w", err)
	}
	return pool, nil
}

// makeBridge makes the bridge of the default network, the first of the pool.
func makeBridge(ctx context.Context, at layout, pool netip.Prefix) error {
	gateway := netip.PrefixFrom(pool.Addr().Next(), subnetBits)
	for _, arguments := range [][]string{
		{"link", "add", "name", at.bridge(), "type", "bridge"},
		{"address", "add", gateway.String(), "dev", at.bridge()},
		{"link", "set", "dev", at.bridge(), "up"},
	} {
		if _, err := runIP(ctx, arguments...); err != nil {
			return problem.Environment("cannot make the container engine's bridge", at.bridge(),
				"the kernel must allow bridges", err)
		}
	}
	return nil
}

// removeBridges removes the default network's bridge and those of the networks the data knows.
func removeBridges(ctx context.Context, at layout) error {
	ours, err := at.bridges()
	if err != nil {
		return err
	}
	var failures []error
	for _, name := range ours {
		if _, err := net.InterfaceByName(name); err != nil {
			continue
		}
		if _, err := runIP(ctx, "link", "delete", "dev", name); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// networkKey is how the daemon's database of networks names one.
var networkKey = regexp.MustCompile(`docker/network/v1\.0/network/([0-9a-f]{64})/`)

// bridges are the names of all bridges this engine may have made. A daemon that was killed
// cannot be asked, so they are read out of its database, whose keys are plain text; that it
// may still name networks that are gone does no harm.
func (l layout) bridges() ([]string, error) {
	names := []string{l.bridge()}
	database, err := os.ReadFile(filepath.Join(l.data(), "network", "files", "local-kv.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the engine's networks: %w", err)
	}
	for _, key := range networkKey.FindAllSubmatch(database, -1) {
		if name := "br-" + string(key[1][:12]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// runIP runs iproute2's ip.
func runIP(ctx context.Context, arguments ...string) (string, error) {
	ip, err := findProgram("ip")
	if err != nil {
		return "", err
	}
	return output(ctx, os.Environ(), ip, arguments...)
}
