// Package loadbalancer gives Services of type LoadBalancer addresses of the kind network, by MetalLB
// in layer 2 mode, reachable from the machine that runs the suite.
package loadbalancer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"mesh-conformance/hack/problem"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

const namespace = "metallb-system"

// poolSize is how many addresses a cluster gets: every conformance Gateway has one of its own.
const poolSize = 64

// Install applies MetalLB's manifest and gives it the last addresses of the network. index tells
// clusters of one network apart: each gets a range of its own.
func Install(ctx context.Context, client *kube.Client, manifest, network string, index int) error {
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
	first, last, err := pool(subnet, index)
	if err != nil {
		return err
	}
	if err := client.WaitAvailable(ctx, namespace, "controller"); err != nil {
		return problem.Environment("MetalLB does not start", namespace, "see diagnostics", err)
	}
	if err := configure(ctx, client, fmt.Sprintf("%s-%s", first, last)); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout)
	defer cancel()
	var last error
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		_, last = client.ApplyObjects(ctx, namespace, objects())
		return last == nil, nil
	})
	if err != nil {
		return problem.Environment("MetalLB refuses its address pool", addresses, "see diagnostics", last)
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
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout)
	defer cancel()
	state := "no such DaemonSet"
	err := wait.PollUntilContextCancel(ctx, timing.Poll, true, func(ctx context.Context) (bool, error) {
		speaker, err := client.Clientset.AppsV1().DaemonSets(namespace).Get(ctx, "speaker", metav1.GetOptions{})
		if err != nil {
			return false, nil
		}
		state = fmt.Sprintf("%d of %d pods ready", speaker.Status.NumberReady, speaker.Status.DesiredNumberScheduled)
		return speaker.Status.DesiredNumberScheduled > 0 && speaker.Status.NumberReady == speaker.Status.DesiredNumberScheduled, nil
	})
	if err != nil {
		return problem.Environment("MetalLB's speaker is not ready", state, "see diagnostics", err)
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

// pool is the index-th range of poolSize addresses, counted from the subnet's end, so that it stays
// clear of the nodes, which the engine numbers from the beginning.
func pool(subnet netip.Prefix, index int) (first, last netip.Addr, err error) {
	size := uint32(1) << (32 - subnet.Bits())
	from := uint32(poolSize) * uint32(index+1)
	if size < 2*from+poolSize {
		return first, last, problem.Environment("the kind network is too small for load balancer addresses", subnet.String(), "give the engine larger address pools", nil)
	}
	octets := subnet.Masked().Addr().As4()
	base := uint32(octets[0])<<24 | uint32(octets[1])<<16 | uint32(octets[2])<<8 | uint32(octets[3])
	end := base + size - 2 - uint32(poolSize)*uint32(index)
	address := func(n uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return address(end - poolSize + 1), address(end), nil
}
