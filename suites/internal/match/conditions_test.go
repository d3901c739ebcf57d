package match

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func condition(kind string, is metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
	return metav1.Condition{Type: kind, Status: is, Reason: reason, ObservedGeneration: generation, Message: "as told"}
}

func gateway(conditions ...metav1.Condition) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web", Generation: 2},
		Status:     gatewayv1.GatewayStatus{Conditions: conditions},
	}
}

func route(parents ...metav1.Condition) *gatewayv1.HTTPRoute {
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	for _, parent := range parents {
		route.Status.Parents = append(route.Status.Parents, gatewayv1.RouteParentStatus{Conditions: []metav1.Condition{parent}})
	}
	return route
}

func TestHaveCondition(t *testing.T) {
	programmed := HaveCondition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionTrue, gatewayv1.GatewayReasonProgrammed)
	accepted := HaveCondition(gatewayv1.RouteConditionAccepted, metav1.ConditionTrue, gatewayv1.RouteReasonAccepted)
	yes := condition("Programmed", metav1.ConditionTrue, "Programmed", 2)
	welcome := condition("Accepted", metav1.ConditionTrue, "Accepted", 2)
	check(t, map[string]verdict{
		"it":                   {programmed, gateway(welcome, yes), true, []string{"Programmed=True (Programmed, generation 2 of 2) as told"}},
		"of a class":           {accepted, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: gatewayv1.GatewayClassStatus{Conditions: []metav1.Condition{welcome}}}, true, nil},
		"none yet":             {programmed, gateway(), false, []string{"no conditions", "to have condition Programmed=True (Programmed)"}},
		"the judged one first": {programmed, gateway(welcome, condition("Programmed", metav1.ConditionFalse, "Pending", 2)), false, []string{"Gateway ns/web: Programmed=False"}},
		"another":              {programmed, gateway(welcome), false, []string{"Accepted=True"}},
		"false":                {programmed, gateway(condition("Programmed", metav1.ConditionFalse, "Programmed", 2)), false, []string{"Programmed=False"}},
		"other reason":         {programmed, gateway(condition("Programmed", metav1.ConditionTrue, "Pending", 2)), false, []string{"Pending"}},
		"of an older one":      {programmed, gateway(condition("Programmed", metav1.ConditionTrue, "Programmed", 1)), false, []string{"generation 1 of 2"}},
		"every parent":         {accepted, route(welcome, welcome), true, nil},
		"one parent of two":    {accepted, route(welcome, condition("Accepted", metav1.ConditionFalse, "NoMatchingParent", 2)), false, []string{"NoMatchingParent"}},
		"a route not told of":  {accepted, route(), false, []string{"no conditions"}},
	})
	refuses(t, programmed, &metav1.Status{})
}

func TestHaveListenerCondition(t *testing.T) {
	invalid := HaveListenerCondition("https", gatewayv1.ListenerConditionProgrammed, metav1.ConditionFalse, gatewayv1.ListenerReasonInvalid)
	listening := func(name gatewayv1.SectionName, conditions ...metav1.Condition) *gatewayv1.Gateway {
		told := gateway()
		told.Status.Listeners = []gatewayv1.ListenerStatus{{Name: "other"}, {Name: name, Conditions: conditions}}
		return told
	}
	no := condition("Programmed", metav1.ConditionFalse, "Invalid", 2)
	check(t, map[string]verdict{
		"it":              {invalid, listening("https", no), true, []string{"Invalid", "on listener https"}},
		"another's":       {invalid, listening("http", no), false, []string{"no conditions"}},
		"true":            {invalid, listening("https", condition("Programmed", metav1.ConditionTrue, "Programmed", 2)), false, []string{"Programmed=True"}},
		"of an older one": {invalid, listening("https", condition("Programmed", metav1.ConditionFalse, "Invalid", 1)), false, []string{"generation 1 of 2"}},
	})
	refuses(t, invalid, "a gateway")
}

func TestHaveAddress(t *testing.T) {
	ip, hostname := gatewayv1.IPAddressType, gatewayv1.HostnameAddressType
	with := func(addresses ...gatewayv1.GatewayStatusAddress) *gatewayv1.Gateway {
		told := gateway()
		told.Status.Addresses = addresses
		return told
	}
	one := gatewayv1.GatewayStatusAddress{Type: &ip, Value: "192.0.2.1"}
	named := gatewayv1.GatewayStatusAddress{Type: &hostname, Value: "web-istio.ns.svc.cluster.local"}
	check(t, map[string]verdict{
		"an IP":             {HaveAddress(ip), with(one), true, []string{"IPAddress 192.0.2.1"}},
		"an IP by default":  {HaveAddress(ip), with(gatewayv1.GatewayStatusAddress{Value: "192.0.2.1"}), true, nil},
		"a name":            {HaveAddress(hostname), with(named), true, nil},
		"a name for an IP":  {HaveAddress(ip), with(named), false, []string{"Hostname web-istio"}},
		"none":              {HaveAddress(ip), with(), false, []string{"no address"}},
		"an empty one":      {HaveAddress(ip), with(gatewayv1.GatewayStatusAddress{Type: &ip}), false, nil},
		"both of the kinds": {HaveAddress(ip), with(one, named), false, []string{"192.0.2.1, Hostname"}},
	})
}
