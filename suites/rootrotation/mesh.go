// Package rootrotation shows how the root of a plugged certificate authority is replaced while requests go on.
package rootrotation

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/steady"
	"mesh-conformance/suites/internal/timing"
)

const (
	// requests is the size of a set that is sent beside the steady stream.
	requests = 5
	// heldPort is where the client's proxy takes connections for the server's port of that number.
	heldPort = 7071
)

// lineage is a root and a signer under it.
type lineage struct{ root, signer *certificate.Authority }

func newLineage(name string) (lineage, error) {
	root, err := certificate.NewRoot(name + " root")
	if err != nil {
		return lineage{}, err
	}
	signer, err := root.Signer(name + " signer")
	return lineage{root, signer}, err
}

// plugged is the secret's content for a signer and trusted roots.
func plugged(signer *certificate.Authority, roots ...*certificate.Authority) map[string][]byte {
	GinkgoHelper()
	content, err := signer.Plugged(roots...)
	Expect(err).NotTo(HaveOccurred())
	return content
}

// rotation is a mesh with a plugged root, and traffic.
type rotation struct {
	istiod              istiod
	older, newer, alien lineage

	namespace string
	// client and server follow the roots, the unsubscribed workload does not. The outsider has no proxy.
	client, server, unsubscribed, outsider *echo.Workload

	stream     *steady.Requests
	connection *steady.Connection
	// taken is what became of the stream so far.
	taken []steady.Count
}

// begin makes the cluster, the mesh and the traffic.
func begin(ctx context.Context) *rotation {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, timing.Provisioning())
	defer cancel()
	r := &rotation{}
	for name, into := range map[string]*lineage{"old": &r.older, "new": &r.newer, "alien": &r.alien} {
		var err error
		*into, err = newLineage(name)
		Expect(err).NotTo(HaveOccurred())
	}
	client := cluster.Own(ctx, "rotation")
	evidence.Replay("# three roots, each with a signer: make -f tools/certs/Makefile.selfsigned.mk root-ca NAME-cacerts, of istio's release")
	store(ctx, plugged(r.older.signer, r.older.root))
	Expect(mesh.NewInstaller(session.Job(), client, GinkgoWriter).Install(ctx, plane())).To(Succeed())
	r.istiod = findIstiod(ctx)

	r.namespace = kube.NewNamespace(ctx, "rotation", kube.Injected)
	r.storeIdentities(ctx)
	for _, fixture := range []string{"policy", "subscribed", "unsubscribed", "outsider"} {
		kube.Apply(ctx, r.namespace, "rootrotation/"+fixture+".yaml")
	}
	workloads := echo.Await(ctx, r.namespace, "client", "server", "unsubscribed", "outsider")
	r.client, r.server = workloads["client"], workloads["server"]
	r.unsubscribed, r.outsider = workloads["unsubscribed"], workloads["outsider"]
	sidecar.AwaitInbound(ctx, r.server, match.TakeOnlyTLS(echo.Port))
	sidecar.AwaitReach(ctx, r.client, r.server)
	sidecar.AwaitReach(ctx, r.unsubscribed, r.server)
	Eventually(ctx, sidecar.Of(r.client).Chains, timing.Push(), timing.Poll).WithArguments(fmt.Sprintf("127.0.0.1_%d", heldPort)).
		ShouldNot(BeEmpty(), "client's proxy, listener for the held connection")

	r.stream = steady.Through(ctx, r.namespace, "visitor through the client's sidecar", "inside")
	evidence.Replay("kubectl port-forward -n %s deploy/client %d", r.namespace, heldPort)
	r.connection = steady.Hold(ctx, "client to server over TCP", func(ctx context.Context) (net.Conn, error) {
		return client.DialPod(ctx, r.namespace, r.client.Pod.Name, heldPort)
	})
	return r
}

// storeIdentities makes what the outsider shows: the same identity under each of two roots.
func (r *rotation) storeIdentities(ctx context.Context) {
	GinkgoHelper()
	identities := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "identities"},
		Data:       map[string][]byte{},
	}
	for name, of := range map[string]lineage{"old": r.older, "new": r.newer} {
		chain, key, err := of.signer.Workload("spiffe://cluster.local/ns/" + r.namespace + "/sa/outsider")
		Expect(err).NotTo(HaveOccurred())
		identities.Data[name+".crt"], identities.Data[name+".key"] = chain, key
	}
	evidence.Replay("kubectl create secret generic identities -n %s --from-file=old.crt --from-file=old.key --from-file=new.crt --from-file=new.key", r.namespace)
	Expect(kube.Shared().Client.Create(ctx, identities)).To(Succeed())
}

// showing makes the outsider's requests, by TLS of its own, with one of its identities.
func (r *rotation) showing(ctx context.Context, identity string) echo.Answers {
	GinkgoHelper()
	// By address: a lookup that a busy machine takes too long for fails, and tells nothing.
	address, err := kube.Shared().ServiceAddress(ctx, r.namespace, r.server.Name)
	Expect(err).NotTo(HaveOccurred())
	return r.outsider.Measure(ctx, fmt.Sprintf("https://%s:80/", address), requests,
		echo.Identity("/identities/"+identity+".crt", "/identities/"+identity+".key"),
		// Whom it meets does not matter, and the server's certificate has no host name.
		echo.Unverified())
}

// now reads what a proxy holds at this moment.
func now(ctx context.Context, workload *echo.Workload) held {
	GinkgoHelper()
	found, err := holds(workload)(ctx)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// follow waits until client and server hold what the matchers want, records it, and that each takes the other's leaf.
func (r *rotation) follow(ctx context.Context, bound time.Duration, matcher types.GomegaMatcher) {
	GinkgoHelper()
	for _, workload := range []*echo.Workload{r.client, r.server} {
		Eventually(ctx, holds(workload), bound, timing.Poll).Should(matcher)
		sidecar.ReplayDump(workload, "dynamic_active_secrets")
	}
	client, server := now(ctx, r.client), now(ctx, r.server)
	Expect(client).To(beTakenBy(server))
	Expect(server).To(beTakenBy(client))
	evidence.Config("proxies", "%s; %s", client, server)
}

// renewedEarly waits until a workload has had another leaf for another reason than the age of the one before.
func (r *rotation) renewedEarly(ctx context.Context, workload *echo.Workload, before held) {
	GinkgoHelper()
	life := shortestLife(before, holds(workload))
	Eventually(ctx, life, timing.Push(), timing.Poll).Should(beRenewedEarly(),
		"how old the leaf of %s was that has been replaced: agents replace one of %s by themselves", workload.Name, renewal)
}

// publishes waits until istiod has put the roots where the workloads' agents look for whom to trust at their start.
func (r *rotation) publishes(ctx context.Context, roots ...*certificate.Authority) {
	GinkgoHelper()
	const name = "istio-ca-root-cert"
	want := string(plugged(r.newer.signer, roots...)[certificate.RootCertificates])
	Eventually(ctx, kube.Getter[corev1.ConfigMap](r.namespace, name), timing.Push(), timing.Poll).Should(
		HaveField("Data", HaveKeyWithValue(certificate.RootCertificates, want)), "ConfigMap %s of %s", name, r.namespace)
	evidence.Look(r.namespace, "configmap", name)
	evidence.API("ConfigMap "+name, "%d roots", len(roots))
}

// step is one change of the secret that istiod takes. It gives the moment of the change.
func (r *rotation) step(ctx context.Context, what string, content map[string][]byte) time.Time {
	GinkgoHelper()
	begun := r.istiod.plug(ctx, what, content)
	r.istiod.awaitSaid(ctx, begun, saysTaken)
	evidence.Config("istiod", "took %s %.1fs after the secret changed", what, time.Since(begun).Seconds())
	return begun
}

// refuse changes the secret to what istiod has to refuse, and shows that nothing
// else comes of it: the proxies trust whom they did.
func (r *rotation) refuse(ctx context.Context, what string, content map[string][]byte, words string, trusted ...*certificate.Authority) {
	GinkgoHelper()
	first, err := r.istiod.presents(ctx)
	Expect(err).NotTo(HaveOccurred())

	begun := r.istiod.plug(ctx, what, content)
	r.istiod.awaitSaid(ctx, begun, words)
	refused := time.Now()
	evidence.Config("istiod", "refused %s %.1fs after the secret changed: %q", what, refused.Sub(begun).Seconds(), words)

	By("seeing istiod and the proxies keep what they have")
	// From here on: a kubelet that is slow to put the files in place has istiod take those of before once more.
	before, err := r.istiod.presents(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(before.signers()).NotTo(BeEmpty(), "certificates behind istiod's own")
	Consistently(ctx, r.istiod.said(refused), timing.Quiet, timing.Poll).ShouldNot(say(saysTaken))
	after, err := r.istiod.presents(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(after).NotTo(haveAnotherLeafThan(before))
	Expect(after.signers()).To(Equal(first.signers()), "who signed istiod's own certificate")
	for _, workload := range []*echo.Workload{r.client, r.server} {
		Expect(now(ctx, workload)).To(trustOnly(trusted...))
	}
	Expect(r.take(ctx, "while "+what+" was refused")).To(steady.LoseNothing())
}

// timed records how long after a change of the secret something had come about.
func timed(what string, begun time.Time) {
	evidence.Config("time", "%s %.1fs after the secret changed", what, time.Since(begun).Seconds())
}

// take records what became of the stream since the last look.
func (r *rotation) take(ctx context.Context, what string) steady.Count {
	GinkgoHelper()
	count := r.stream.Take(ctx, what)
	r.taken = append(r.taken, count)
	return count
}

// sum is what became of all requests of several stretches.
func sum(counts []steady.Count) steady.Count {
	total := steady.Count{Reasons: map[string]int{}}
	for _, count := range counts {
		total.Way = count.Way
		total.Sent += count.Sent
		total.Lost += count.Lost
		total.Lasted += count.Lasted
		total.Unmeasured += count.Unmeasured
		if total.Trouble == "" {
			total.Trouble = count.Trouble
		}
		for reason, number := range count.Reasons {
			total.Reasons[reason] += number
		}
	}
	return total
}

// running names what runs in a namespace: pod, container and the number of its restarts.
func running(ctx context.Context, namespace string) []string {
	GinkgoHelper()
	pods, err := kube.Shared().Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, pod := range pods.Items {
		// One that was replaced earlier may not be gone yet.
		if pod.DeletionTimestamp != nil {
			continue
		}
		for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			names = append(names, fmt.Sprintf("%s/%s restarted %d times", pod.Name, container.Name, container.RestartCount))
		}
	}
	return names
}

// changed is what runs now and did not before, or the other way round.
func changed(before, now []string) []string {
	found := []string{}
	for _, name := range before {
		if !slices.Contains(now, name) {
			found = append(found, "no longer "+name)
		}
	}
	for _, name := range now {
		if !slices.Contains(before, name) {
			found = append(found, "now "+name)
		}
	}
	return found
}
