package xds

import (
	"errors"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
)

// TypeWorkload is the resource type of Istio's workload discovery. Its message is Istio's own
// (istio.io/istio, pkg/workloadapi/workload.proto).
const TypeWorkload = "type.googleapis.com/istio.workload.Workload"

// Workload is what workload discovery says of one pod, as far as a proxy needs it to name a peer.
type Workload struct {
	// UID is the resource's name, for a pod cluster//Pod/namespace/name.
	UID string
	// Name and Namespace are the pod's.
	Name, Namespace string
	Addresses       []netip.Addr
	ServiceAccount  string
	Node            string
	ClusterID       string
	// CanonicalName and CanonicalRevision are the service's that the pod counts for, in telemetry.
	CanonicalName, CanonicalRevision string
	// WorkloadName is the name of what owns the pod, a Deployment's for example.
	WorkloadName string
}

// The numbers of the message's fields.
const (
	fieldName              protowire.Number = 1
	fieldNamespace         protowire.Number = 2
	fieldAddresses         protowire.Number = 3
	fieldServiceAccount    protowire.Number = 7
	fieldNode              protowire.Number = 9
	fieldCanonicalName     protowire.Number = 10
	fieldCanonicalRevision protowire.Number = 11
	fieldWorkloadName      protowire.Number = 13
	fieldClusterID         protowire.Number = 18
	fieldUID               protowire.Number = 20
)

// parseWorkload decodes the fields that Workload has and passes over the others. By hand: a second copy of
// Istio's generated messages would come with Istio's whole module.
func parseWorkload(resource *anypb.Any) (Workload, error) {
	if url := resource.GetTypeUrl(); url != TypeWorkload {
		return Workload{}, fmt.Errorf("the resource is a %s, not a %s", url, TypeWorkload)
	}
	var workload Workload
	texts := map[protowire.Number]*string{
		fieldName: &workload.Name, fieldNamespace: &workload.Namespace, fieldServiceAccount: &workload.ServiceAccount,
		fieldNode: &workload.Node, fieldCanonicalName: &workload.CanonicalName,
		fieldCanonicalRevision: &workload.CanonicalRevision, fieldWorkloadName: &workload.WorkloadName,
		fieldClusterID: &workload.ClusterID, fieldUID: &workload.UID,
	}
	for rest := resource.GetValue(); len(rest) > 0; {
		number, kind, size := protowire.ConsumeField(rest)
		if size < 0 {
			return Workload{}, fmt.Errorf("decode a workload: %w", protowire.ParseError(size))
		}
		_, _, tag := protowire.ConsumeTag(rest)
		field := rest[tag:size]
		rest = rest[size:]
		if kind != protowire.BytesType {
			continue
		}
		value, _ := protowire.ConsumeBytes(field)
		if into := texts[number]; into != nil {
			*into = string(value)
		}
		if number != fieldAddresses {
			continue
		}
		address, ok := netip.AddrFromSlice(value)
		if !ok {
			return Workload{}, fmt.Errorf("decode a workload: %x is no address", value)
		}
		workload.Addresses = append(workload.Addresses, address)
	}
	if workload.UID == "" {
		return Workload{}, errors.New("decode a workload: it has no uid")
	}
	return workload, nil
}
