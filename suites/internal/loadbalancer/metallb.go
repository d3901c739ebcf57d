// Package loadbalancer gives Services of type LoadBalancer addresses of the kind network, by MetalLB
// in layer 2 mode, reachable from the machine that runs the suite.
package loadbalancer

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"mesh-conformance/hack/problem"
	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

const namespace = "metallb-system"

// poolSize is how many addresses the cluster gets, a power of two: every conformance Gateway has one of its own.
const poolSize = 1 << (32 - poolBits)

// poolBits is the length of the pool's prefix.
const poolBits = 26

// Install applies MetalLB's manifest to a cluster and gives it addresses at the end of the cluster's network.
func Install(ctx context.Context, client *kube.Client, manifest, name, network string) error {
	content, err := kube.ReadManifest(manifest)
	if err != nil {
		return problem.Environment("cannot read MetalLB's manifest", manifest, "build the cell again", err)
	}
	if err := adapt(content); err != nil {
		return problem.Environment("MetalLB's manifest is not as expected", manifest, "", err)
	}
	if _, err := client.ApplyObjects(ctx, "", append(content, memberlist())); err != nil {
		return problem.Environment("cannot install MetalLB", "", "see diagnostics", err)
	}
	subnet, err := subnetOf(ctx, network)
	if err != nil {
		return err
	}
	addresses, err := pool(subnet)
	if err != nil {
		return err
	}
	if err := dropUnclaimed(ctx, name, network, addresses); err != nil {
		return problem.Environment("cannot set the node's packet filter", addresses.String(), "see that the node image has iptables", err)
	}
	if err := client.WaitAvailable(ctx, namespace, "controller"); err != nil {
		return problem.Environment("MetalLB does not start", namespace, "see diagnostics", err)
	}
	if err := configure(ctx, client, addresses.String()); err != nil {
		return err
	}
	return speakerReady(ctx, client)
}

// adapt makes MetalLB ready as soon as it is, and patient with a busy machine: its manifest waits ten
// seconds before the first probe and takes an answer after one second for a failure.
func adapt(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetKind() != "Deployment" && object.GetKind() != "DaemonSet" {
			continue
		}
		containers, found, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		if err != nil || !found {
			return fmt.Errorf("%s %s has no containers: %w", object.GetKind(), object.GetName(), err)
		}
		for _, entry := range containers {
			container, isMap := entry.(map[string]any)
			if !isMap {
				return fmt.Errorf("%s %s: malformed container", object.GetKind(), object.GetName())
			}
			for probe, period := range map[string]int64{"readinessProbe": 1, "livenessProbe": 10} {
				settings, hasProbe := container[probe].(map[string]any)
				if !hasProbe {
					continue
				}
				settings["initialDelaySeconds"], settings["periodSeconds"], settings["timeoutSeconds"] = int64(0), period, int64(10)
				settings["failureThreshold"] = int64(30)
			}
		}
		if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			return err
		}
	}
	return nil
}

// memberlist is the Secret that the controller would make for the speakers, which cannot start before it
// exists. One speaker has nobody to share a secret with.
func memberlist() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
		"metadata":   map[string]any{"name": "memberlist", "namespace": namespace},
		"stringData": map[string]any{"secretkey": rand.Text()},
	}}
}

// configure makes the address pool; MetalLB's webhook refuses until its controller serves it.
func configure(ctx context.Context, client *kube.Client, addresses string) error {
	objects := func() []*unstructured.Unstructured {
		return []*unstructured.Unstructured{
			object("IPAddressPool", map[string]any{"addresses": []any{addresses}}),
			object("L2Advertisement", map[string]any{"ipAddressPools": []any{"kind-network"}}),
		}
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	seen := "nothing"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		_, err := client.ApplyObjects(ctx, namespace, objects())
		// The try that the deadline ends has seen nothing.
		if err != nil && !deadline.OutOfTime(err) {
			seen = err.Error()
		}
		return err == nil, nil
	})
	if err != nil {
		return problem.Environment(deadline.Missed("MetalLB did not accept its address pool", begun, seen, err).Error(), addresses, "see diagnostics", nil)
	}
	return nil
}

func object(kind string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "metallb.io/v1beta1", "kind": kind,
		"metadata": map[string]any{"name": "kind-network", "namespace": namespace}, "spec": spec,
	}}
}

// speakerReady waits for the pod that answers ARP for the addresses.
func speakerReady(ctx context.Context, client *kube.Client) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	state := "nothing"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		speaker, err := client.Clientset.AppsV1().DaemonSets(namespace).Get(ctx, "speaker", metav1.GetOptions{})
		if err != nil {
			if !deadline.OutOfTime(err) {
				state = err.Error()
			}
			return false, nil
		}
		state = fmt.Sprintf("%d of %d pods ready", speaker.Status.NumberReady, speaker.Status.DesiredNumberScheduled)
		return speaker.Status.DesiredNumberScheduled > 0 && speaker.Status.NumberReady == speaker.Status.DesiredNumberScheduled, nil
	})
	if err != nil {
		return problem.Environment(deadline.Missed("MetalLB's speaker did not become ready", begun, state, err).Error(), namespace, "see diagnostics", nil)
	}
	return nil
}

// subnetOf asks the engine for the IPv4 subnet of a network.
func subnetOf(ctx context.Context, network string) (netip.Prefix, error) {
	out, err := exec.CommandContext(ctx, "docker", "network", "inspect", network).Output()
	if err != nil {
		return netip.Prefix{}, problem.Environment("cannot inspect the kind network", network, "see that the engine answers", err)
	}
	return parseSubnet(out)
}

func parseSubnet(inspected []byte) (netip.Prefix, error) {
	var networks []struct {
		IPAM struct {
			Config []struct{ Subnet string }
		}
	}
	if err := json.Unmarshal(inspected, &networks); err != nil {
		return netip.Prefix{}, problem.Environment("the engine's answer is malformed", "docker network inspect", "", err)
	}
	for _, network := range networks {
		for _, config := range network.IPAM.Config {
			if subnet, err := netip.ParsePrefix(config.Subnet); err == nil && subnet.Addr().Is4() {
				return subnet, nil
			}
		}
	}
	return netip.Prefix{}, problem.Environment("the kind network has no IPv4 subnet", "docker network inspect", "", nil)
}

// pool is the last whole block of poolSize addresses but one, so that it stays clear of the nodes, which the engine
// numbers from the subnet's beginning, and of the broadcast address.
func pool(subnet netip.Prefix) (netip.Prefix, error) {
	if subnet.Bits() > poolBits-2 {
		return netip.Prefix{}, problem.Environment("the kind network is too small for load balancer addresses", subnet.String(), "give the engine larger address pools", nil)
	}
	octets := subnet.Masked().Addr().As4()
	end := binary.BigEndian.Uint32(octets[:]) + 1<<(32-subnet.Bits())
	binary.BigEndian.PutUint32(octets[:], end-2*poolSize)
	return netip.PrefixFrom(netip.AddrFrom4(octets), poolBits), nil
}

// dropUnclaimed has the node drop packets to addresses that kube-proxy does not lead anywhere, not yet or no more, before
// conntrack confirms them. Passed on untranslated they would leave an entry there for two minutes: whoever then comes to
// connect from the same port, of which a thousand requests use a thousand, would follow it into nowhere.
func dropUnclaimed(ctx context.Context, name, network string, addresses netip.Prefix) error {
	_, err := cluster.RunOnNode(ctx, name, network, "iptables", "-w", "-I", "FORWARD", "-d", addresses.String(), "-j", "DROP")
	return err
}
