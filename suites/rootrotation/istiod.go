package rootrotation

import (
	"context"
	"crypto/tls"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/timing"
)

func plane() mesh.ControlPlane {
	return mesh.ControlPlane{
		Name: "rotation", Operator: controlplane.Operator("rotation"), Proxies: controlplane.SubjectProxies,
	}
}

const (
	// cacerts is the secret from which istiod takes a plugged authority.
	cacerts = "cacerts"
	// multiRoot is the switch of istiod without which its roots do not change.
	multiRoot = "ISTIO_MULTIROOT_MESH"
	// secured is the port where istiod signs and configures.
	secured = 15012
)

// What istiod 1.20 says of a change of the secret (pilot/pkg/bootstrap/istio_ca.go).
const (
	saysTaken      = "Istiod has detected the newly added intermediate CA and updated its key and certs accordingly"
	saysSingleRoot = "Multi root is disabled, updating new ROOT-CA not supported"
	saysUnrelated  = "Updating new ROOT-CA not supported"
	saysNotTaken   = "Failed to update new Plug-in CA certs: "
	saysMismatch   = saysNotTaken + "the cert does not match the key"
	saysExpired    = "certificate has expired or is not yet valid"
)

// istiod is the one pod of the control plane.
type istiod struct{ pod string }

// findIstiod gives the pod that has not been told to go.
func findIstiod(ctx context.Context) istiod {
	GinkgoHelper()
	pods, err := kube.Shared().Clientset.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=istiod"})
	Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	Expect(names).To(HaveLen(1), "pods of istiod")
	return istiod{pod: names[0]}
}

// store creates the secret, before there is an istiod.
func store(ctx context.Context, content map[string][]byte) {
	GinkgoHelper()
	client := kube.Shared().Client
	Expect(client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mesh.Namespace}})).To(Succeed())
	Expect(client.Create(ctx, secretOf(content))).To(Succeed())
	evidence.Replay("kubectl create namespace %s", mesh.Namespace)
	evidence.Replay("kubectl create secret generic %s -n %s --from-file=DIRECTORY", cacerts, mesh.Namespace)
}

func secretOf(content map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: mesh.Namespace, Name: cacerts}, Data: content}
}

// plug replaces the secret's content and says when.
func (i istiod) plug(ctx context.Context, what string, content map[string][]byte) time.Time {
	GinkgoHelper()
	begun := time.Now()
	Expect(kube.Shared().Client.Update(ctx, secretOf(content))).To(Succeed())
	evidence.Replay("# %s", what)
	evidence.Replay("kubectl create secret generic %s -n %s --from-file=DIRECTORY --dry-run=client -o yaml | kubectl replace -f -", cacerts, mesh.Namespace)
	// The kubelet looks at the secrets of a pod that has changed; of others in its own time, a minute by default.
	kube.Change(ctx, mesh.Namespace, i.pod, func(pod *corev1.Pod) {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations["mesh-conformance/plugged"] = begun.Format(time.RFC3339Nano)
	})
	return begun
}

// said reads what istiod has logged about its authority after a moment.
func (i istiod) said(since time.Time) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		second := metav1.NewTime(since.Truncate(time.Second))
		log, err := kube.Shared().LogsWith(ctx, mesh.Namespace, i.pod, corev1.PodLogOptions{Timestamps: true, SinceTime: &second})
		return ofAuthority(after(log, since)), err
	}
}

// awaitSaid waits until istiod has logged the words after a moment.
func (i istiod) awaitSaid(ctx context.Context, since time.Time, words string) {
	GinkgoHelper()
	Eventually(ctx, i.said(since), timing.Push(), timing.Poll).Should(say(words))
	evidence.Replay("kubectl logs -n %s %s --since=1m | grep '%s'", mesh.Namespace, i.pod, words)
}

// authority finds what istiod says of its authority among what it says of pushes and watches.
var authority = regexp.MustCompile(`ROOT-CA|Plug-?in|plugged|intermediate CA|Update Istiod cacerts`)

// ofAuthority gives the messages about the authority, without scope and time.
func ofAuthority(lines []string) []string {
	messages := []string{}
	for _, line := range lines {
		if authority.MatchString(line) {
			messages = append(messages, line[strings.LastIndex(line, "\t")+1:])
		}
	}
	return messages
}

// say holds for messages of istiod if one has the words.
func say(words string) types.GomegaMatcher { return saying(words) }

type saying string

// Match implements gomega's matcher.
func (s saying) Match(actual any) (bool, error) {
	messages, ok := actual.([]string)
	if !ok {
		return false, fmt.Errorf("say is for messages of istiod, not for a %T", actual)
	}
	return slices.ContainsFunc(messages, func(message string) bool { return strings.Contains(message, string(s)) }), nil
}

// FailureMessage implements gomega's matcher.
func (s saying) FailureMessage(actual any) string { return s.message(actual, "to say") }

// NegatedFailureMessage implements gomega's matcher.
func (s saying) NegatedFailureMessage(actual any) string { return s.message(actual, "not to say") }

func (s saying) message(actual any, to string) string {
	return fmt.Sprintf("Expected istiod %s %q after the secret changed, last seen of its authority:\n    %q", to, string(s), actual)
}

// after gives the lines of a log with timestamps that are of a moment or later, without the timestamps: the API
// server begins at a full second.
func after(log string, since time.Time) []string {
	lines := []string{}
	for line := range strings.Lines(log) {
		stamp, text, found := strings.Cut(strings.TrimRight(line, "\n"), " ")
		when, err := time.Parse(time.RFC3339Nano, stamp)
		if found && err == nil && !when.Before(since) {
			lines = append(lines, text)
		}
	}
	return lines
}

// presents reads what istiod identifies itself with to those that connect to it.
func (i istiod) presents(ctx context.Context) (held, error) {
	conn, err := kube.Shared().DialPod(ctx, mesh.Namespace, i.pod, secured)
	if err != nil {
		return held{}, err
	}
	defer func() { _ = conn.Close() }()
	// Only to look: who trusts it is for the matcher to say.
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		return held{}, fmt.Errorf("handshake with istiod: %w", err)
	}
	return held{by: "istiod", chain: secure.ConnectionState().PeerCertificates}, nil
}

// allowSeveralRoots turns the switch on, which replaces the pod.
func allowSeveralRoots(ctx context.Context) istiod {
	GinkgoHelper()
	kube.Change(ctx, mesh.Namespace, plane().Deployment(), func(deployment *appsv1.Deployment) {
		container := &deployment.Spec.Template.Spec.Containers[0]
		container.Env = append(container.Env, corev1.EnvVar{Name: multiRoot, Value: "true"})
	})
	Expect(kube.Shared().WaitAvailable(ctx, mesh.Namespace, plane().Deployment())).To(Succeed())
	return findIstiod(ctx)
}
