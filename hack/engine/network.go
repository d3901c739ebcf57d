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
	pool, err := freePool(routes(text), at.lastPool())
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, file := range []string{at.poolFile(), at.runPoolFile()} {
		if err := os.WriteFile(file, []byte(pool.String()+"\n"), 0o644); err != nil {
			return netip.Prefix{}, fmt.Errorf("remember the engine's address range: %w", err)
		}
	}
	return pool, nil
}

// lastPool is the range the engine has or last had; it is invalid where none is remembered.
func (l layout) lastPool() netip.Prefix {
	for _, file := range []string{l.runPoolFile(), l.poolFile()} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pool, err := netip.ParsePrefix(strings.TrimSpace(string(text))); err == nil {
			return pool
		}
	}
	return netip.Prefix{}
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

// removeBridges removes bridges, where they are there.
func removeBridges(ctx context.Context, names []string) error {
	var failures []error
	for _, name := range names {
		if _, err := net.InterfaceByName(name); err != nil {
			continue
		}
		if _, err := runIP(ctx, "link", "delete", "dev", name); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// networkBridge is how a daemon names the bridge of a network.
var networkBridge = regexp.MustCompile(`^br-[0-9a-f]{12}$`)

// isNetworkIn says whether a link is a daemon's bridge with an address of the pool. The pool
// was nobody else's when it was chosen, and others keep out of it since.
func isNetworkIn(pool netip.Prefix, name string, addresses []net.Addr) bool {
	if !pool.IsValid() || !networkBridge.MatchString(name) {
		return false
	}
	return slices.ContainsFunc(addresses, func(address net.Addr) bool {
		prefix, err := netip.ParsePrefix(address.String())
		return err == nil && pool.Contains(prefix.Addr())
	})
}

// networkKey is how the daemon's database of networks names one.
var networkKey = regexp.MustCompile(`docker/network/v1\.0/network/([0-9a-f]{64})/`)

// bridges are the names of all bridges that this engine may have made: the default network's,
// and those of the networks in its database or, should that be deleted, in its pool.
func (l layout) bridges() ([]string, error) {
	names, err := l.storedBridges()
	if err != nil {
		return nil, err
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	pool := l.lastPool()
	for _, link := range links {
		addresses, err := link.Addrs()
		if err != nil || slices.Contains(names, link.Name) {
			continue // gone meanwhile, or known
		}
		if isNetworkIn(pool, link.Name, addresses) {
			names = append(names, link.Name)
		}
	}
	return names, nil
}

// storedBridges reads the networks out of the daemon's database: a daemon that was killed
// cannot be asked. Its keys are plain text; that it may still name networks that are gone
// does no harm.
func (l layout) storedBridges() ([]string, error) {
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
