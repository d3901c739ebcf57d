package rootrotation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
)

// held is whom a proxy, or istiod, trusts and what it identifies itself with.
type held struct {
	by    string
	roots []*x509.Certificate
	// chain begins with the leaf.
	chain []*x509.Certificate
}

// holds reads what the proxy of a workload holds now.
func holds(workload *echo.Workload) func(context.Context) (held, error) {
	from := sidecar.Of(workload)
	return func(ctx context.Context) (held, error) {
		secrets, err := from.Secrets(ctx)
		if err != nil {
			return held{}, err
		}
		found := held{
			by:    workload.Name,
			roots: secrets[proxy.SecretRoots].Certificates,
			chain: secrets[proxy.SecretLeaf].Certificates,
		}
		if len(found.roots) == 0 || len(found.chain) == 0 {
			return held{}, fmt.Errorf("a proxy lacks a secret: %s", found)
		}
		return found, nil
	}
}

// String names who is trusted and who signed the leaf.
func (h held) String() string {
	trusted := "nobody"
	if len(h.roots) > 0 {
		names := make([]string, 0, len(h.roots))
		for _, root := range h.roots {
			names = append(names, root.Subject.CommonName)
		}
		trusted = strings.Join(names, " and ")
	}
	leaf := "no leaf"
	if len(h.chain) > 0 {
		leaf = fmt.Sprintf("leaf %x by %s", h.chain[0].SerialNumber, h.chain[0].Issuer.CommonName)
	}
	return fmt.Sprintf("%s trusts %s and has %s", h.by, trusted, leaf)
}

// signers names the certificates between the leaf and the root, and their serial numbers.
func (h held) signers() []string {
	var names []string
	for i, certificate := range h.chain {
		if i > 0 {
			names = append(names, fmt.Sprintf("%s %x", certificate.Subject.CommonName, certificate.SerialNumber))
		}
	}
	return names
}

// verify gives the chains by which roots vouch for the leaf.
func (h held) verify(roots []*x509.Certificate) ([][]*x509.Certificate, error) {
	if len(h.chain) == 0 {
		return nil, errors.New("no leaf")
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, root := range roots {
		options.Roots.AddCert(root)
	}
	for _, between := range h.chain[1:] {
		options.Intermediates.AddCert(between)
	}
	return h.chain[0].Verify(options)
}

// judgement is a matcher on a held.
type judgement struct {
	want  string
	holds func(held) bool
}

// Match implements gomega's matcher.
func (j judgement) Match(actual any) (bool, error) {
	found, ok := actual.(held)
	if !ok {
		return false, fmt.Errorf("whether to %s is asked of what a proxy holds, not of a %T", j.want, actual)
	}
	return j.holds(found), nil
}

// FailureMessage implements gomega's matcher.
func (j judgement) FailureMessage(actual any) string { return j.message(actual, "to") }

// NegatedFailureMessage implements gomega's matcher.
func (j judgement) NegatedFailureMessage(actual any) string { return j.message(actual, "not to") }

func (j judgement) message(actual any, to string) string {
	found := actual.(held)
	return fmt.Sprintf("Expected %s %s %s, last seen:\n    %s", found.by, to, j.want, found)
}

// trustOnly holds for who trusts these roots, in any order, and no others.
func trustOnly(roots ...*certificate.Authority) types.GomegaMatcher {
	names := make([]string, 0, len(roots))
	for _, root := range roots {
		names = append(names, root.Certificate.Subject.CommonName)
	}
	return judgement{"trust only " + strings.Join(names, " and "), func(h held) bool {
		missing := slices.ContainsFunc(roots, func(root *certificate.Authority) bool {
			return !slices.ContainsFunc(h.roots, root.Certificate.Equal)
		})
		return len(h.roots) == len(roots) && !missing
	}}
}

// haveLeafBy holds for whose leaf the signer has signed, by a chain that ends at the root.
func haveLeafBy(signer, root *certificate.Authority) types.GomegaMatcher {
	want := fmt.Sprintf("have a leaf by %s under %s", signer.Certificate.Subject.CommonName, root.Certificate.Subject.CommonName)
	return judgement{want, func(h held) bool {
		chains, err := h.verify([]*x509.Certificate{root.Certificate})
		return err == nil && slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
			return len(chain) > 1 && chain[1].Equal(signer.Certificate)
		})
	}}
}

// haveAnotherLeafThan holds for whose leaf is not the one it had before.
func haveAnotherLeafThan(before held) types.GomegaMatcher {
	serial := before.chain[0].SerialNumber
	return judgement{fmt.Sprintf("have another leaf than %x", serial), func(h held) bool {
		return len(h.chain) > 0 && h.chain[0].SerialNumber.Cmp(serial) != 0
	}}
}

// renewal is after what time the agents renew a leaf by themselves, by fixtures/rootrotation/subscribed.yaml.
const renewal = 45 * time.Second

// beRenewedEarly holds for the shortest time between the issue of two successive leaves of a workload if what made the
// agent ask for the second was not the first one's age.
func beRenewedEarly() types.GomegaMatcher {
	return gomega.And(gomega.BeNumerically(">", 0), gomega.BeNumerically("<", renewal-renewal/10))
}

// shortestLife tells how long the leaf of a workload that was replaced the soonest had been valid when its successor
// came to be, among those seen since before; 0 while there has been no successor. Both are dated by the same clock,
// istiod's.
func shortestLife(before held, read func(context.Context) (held, error)) func(context.Context) (time.Duration, error) {
	last, shortest := before, time.Duration(0)
	return func(ctx context.Context) (time.Duration, error) {
		found, err := read(ctx)
		if err != nil {
			return 0, err
		}
		if another, _ := haveAnotherLeafThan(last).Match(found); another {
			life := found.chain[0].NotBefore.Sub(last.chain[0].NotBefore)
			if shortest == 0 || life < shortest {
				shortest = life
			}
			last = found
		}
		return shortest, nil
	}
}

// beTakenBy holds for whose leaf the roots of the peer vouch for.
func beTakenBy(peer held) types.GomegaMatcher {
	return judgement{fmt.Sprintf("have a leaf that is good for its peer (%s)", peer), func(h held) bool {
		_, err := h.verify(peer.roots)
		return err == nil
	}}
}
