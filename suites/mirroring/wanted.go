package mirroring

import (
	"context"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// The receivers of mirroring/mirrors.yaml, named after their parts where all three are mirrors.
const (
	mirrorAll  = "mirror-all"
	mirrorHalf = "mirror-half"
	mirrorNone = "mirror-none"
)

// How many requests a measurement makes: many where chance decides on copies.
const (
	many = 1000
	some = 200
	few  = 50
)

// messageSize is more than a name would take, and little enough for a command line.
const messageSize = 1 << 10

// policy is a mirror policy as a proxy has to hold it.
type policy struct {
	service, subset string
	parts, of       uint32
}

// percent is the policy for a stated percentage.
func percent(value float64, service string) policy {
	return policy{service: service, parts: uint32(value * 10_000), of: 1_000_000}
}

// unstated is the policy without a percentage: it stands for all requests.
func unstated(service string) policy { return policy{service: service, parts: 100, of: 100} }

// mirrorsOf are the policies for Services of a namespace.
func mirrorsOf(namespace, port string, policies ...policy) []envoy.Mirror {
	var mirrors []envoy.Mirror
	for _, one := range policies {
		mirrors = append(mirrors, envoy.Mirror{Cluster: clusterOf(namespace, port, one.subset, one.service), Parts: one.parts, Of: one.of})
	}
	return mirrors
}

func clusterOf(namespace, port, subset, service string) string {
	return "outbound|" + port + "|" + subset + "|" + fullName(service, namespace)
}

func fullName(service, namespace string) string {
	return service + "." + namespace + ".svc.cluster.local"
}

// shares are the parts of the requests that mirrors have to get; receivers that are not named get none.
type shares map[string]float64

// expectCopies judges a run: the primary alone has answered, each mirror has got its share of the
// originals, each of them once, and its host says that it is a copy.
func (s *stage) expectCopies(seen outcome, count int, authority string, parts shares) {
	GinkgoHelper()
	Expect(seen.answers.Sent).To(Equal(count))
	Expect(seen.answers).To(match.HaveStatus(200))
	Expect(seen.answers).To(match.BeServedBy(s.receivers[primary]))
	Expect(seen.distinct(primary)).To(match.BeShareOf(count, 1), "requests that the primary got")
	Expect(seen.hosts(primary)).To(HaveExactElements(authority), "authority of requests at the primary")
	for _, receiver := range slices.Sorted(maps.Keys(seen.got)) {
		if receiver == primary {
			continue
		}
		Expect(seen.distinct(receiver)).To(match.BeShareOf(count, parts[receiver]), "requests that %s got", receiver)
		if parts[receiver] > 0 {
			Expect(seen.hosts(receiver)).To(HaveExactElements(shadow(authority)), "authority of copies at %s", receiver)
		}
	}
	Expect(seen.oddities()).To(BeEmpty(), "requests that are no copies of one that the primary got")
	s.replayLogs(seen)
}

// expectNoMore watches that receivers get nothing later, either.
func (s *stage) expectNoMore(ctx context.Context, seen outcome, receivers ...string) {
	GinkgoHelper()
	Consistently(ctx, func(ctx context.Context) (map[string]int, error) {
		later, err := s.received(ctx, seen, receivers...)
		got := map[string]int{}
		for receiver, requests := range later.got {
			if len(requests) > 0 {
				got[receiver] = len(requests)
			}
		}
		return got, err
	}, timing.Quiet, timing.Poll).Should(BeEmpty(), "requests at receivers that are to get none")
}

// replayLogs records how a user counts what the receivers got.
func (s *stage) replayLogs(seen outcome) {
	for _, receiver := range slices.Sorted(maps.Keys(seen.got)) {
		at := s.receivers[receiver]
		evidence.Replay("kubectl logs -n %s deploy/%s -c %s | grep ' Request' | grep -ic '%s:.%s'", at.Namespace, at.Name, echo.Container, runHeader, seen.run)
	}
}

// apply applies fixtures of this feature.
func apply(ctx context.Context, namespace string, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		kube.Apply(ctx, namespace, "mirroring/"+name+".yaml")
	}
}
