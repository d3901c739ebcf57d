package match

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// status is what an object's controllers say of it: one set of conditions, or one for each parent.
type status struct {
	object     string
	generation int64
	sets       [][]metav1.Condition
}

// HaveCondition holds for a Gateway, GatewayClass or HTTPRoute with that condition, told of its
// current generation: what was said of an older one is no verdict. A route must have it for
// every parent.
func HaveCondition[K, R ~string](kind K, is metav1.ConditionStatus, reason R) types.GomegaMatcher {
	return judging(fmt.Sprintf("have condition %s=%s (%s)", kind, is, reason), func(object any) (bool, string, error) {
		told, err := statusOf(object)
		if err != nil {
			return false, "", err
		}
		return told.has(string(kind), is, string(reason)), told.about(string(kind)), nil
	})
}

// HaveListenerCondition is HaveCondition for one listener of a Gateway.
func HaveListenerCondition(listener gatewayv1.SectionName, kind gatewayv1.ListenerConditionType, is metav1.ConditionStatus, reason gatewayv1.ListenerConditionReason) types.GomegaMatcher {
	return judging(fmt.Sprintf("have condition %s=%s (%s) on listener %s", kind, is, reason, listener), func(gateway *gatewayv1.Gateway) (bool, string, error) {
		told := status{object: named("Gateway", gateway), generation: gateway.Generation}
		for _, candidate := range gateway.Status.Listeners {
			if candidate.Name == listener {
				told.sets = append(told.sets, candidate.Conditions)
			}
		}
		return told.has(string(kind), is, string(reason)), told.about(string(kind)), nil
	})
}

// HaveAddress holds for a Gateway whose status gives exactly one address, of that type.
func HaveAddress(kind gatewayv1.AddressType) types.GomegaMatcher {
	return judging(fmt.Sprintf("have one address, of type %s", kind), func(gateway *gatewayv1.Gateway) (bool, string, error) {
		var seen []string
		for _, address := range gateway.Status.Addresses {
			seen = append(seen, fmt.Sprintf("%s %s", addressType(address), address.Value))
		}
		ok := len(seen) == 1 && addressType(gateway.Status.Addresses[0]) == kind && gateway.Status.Addresses[0].Value != ""
		if len(seen) == 0 {
			seen = []string{"no address"}
		}
		return ok, named("Gateway", gateway) + ": " + strings.Join(seen, ", "), nil
	})
}

func addressType(address gatewayv1.GatewayStatusAddress) gatewayv1.AddressType {
	if address.Type == nil {
		return gatewayv1.IPAddressType
	}
	return *address.Type
}

func statusOf(object any) (status, error) {
	switch object := object.(type) {
	case *gatewayv1.Gateway:
		return status{named("Gateway", object), object.Generation, [][]metav1.Condition{object.Status.Conditions}}, nil
	case *gatewayv1.GatewayClass:
		return status{named("GatewayClass", object), object.Generation, [][]metav1.Condition{object.Status.Conditions}}, nil
	case *gatewayv1.HTTPRoute:
		told := status{object: named("HTTPRoute", object), generation: object.Generation}
		for _, parent := range object.Status.Parents {
			told.sets = append(told.sets, parent.Conditions)
		}
		return told, nil
	default:
		return status{}, fmt.Errorf("a %T has no conditions that are judged here", object)
	}
}

func (s status) has(kind string, is metav1.ConditionStatus, reason string) bool {
	for _, set := range s.sets {
		found := false
		for _, condition := range set {
			found = found || condition.Type == kind && condition.Status == is && condition.Reason == reason &&
				condition.ObservedGeneration == s.generation
		}
		if !found {
			return false
		}
	}
	return len(s.sets) > 0
}

// about lists the conditions as last seen, those of the kind that is judged first.
func (s status) about(kind string) string {
	var lines, others []string
	for _, set := range s.sets {
		for _, condition := range set {
			line := fmt.Sprintf("%s=%s (%s, generation %d of %d) %s",
				condition.Type, condition.Status, condition.Reason, condition.ObservedGeneration, s.generation, condition.Message)
			if condition.Type == kind {
				lines = append(lines, line)
			} else {
				others = append(others, line)
			}
		}
	}
	lines = append(lines, others...)
	if len(lines) == 0 {
		lines = []string{"no conditions"}
	}
	return s.object + ": " + strings.Join(lines, "\n    ")
}

// named is an object as messages call it.
func named(kind string, object metav1.Object) string {
	if object.GetNamespace() == "" {
		return kind + " " + object.GetName()
	}
	return kind + " " + object.GetNamespace() + "/" + object.GetName()
}
