package rootrotation

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/certificate"
)

// workload is what a workload holds that trusts the roots and has a leaf by the signer.
func workload(t *testing.T, signer *certificate.Authority, roots ...*certificate.Authority) held {
	t.Helper()
	text, _, err := signer.Workload("spiffe://cluster.local/ns/shop/sa/web")
	if err != nil {
		t.Fatal(err)
	}
	h := held{by: "web"}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		h.chain = append(h.chain, parsed)
	}
	for _, root := range roots {
		h.roots = append(h.roots, root.Certificate)
	}
	return h
}

func TestWhatAProxyHoldsIsJudged(t *testing.T) {
	older, err := newLineage("old")
	if err != nil {
		t.Fatal(err)
	}
	newer, err := newLineage("new")
	if err != nil {
		t.Fatal(err)
	}
	another, err := older.root.Signer("another signer")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := older.signer.Expired()
	if err != nil {
		t.Fatal(err)
	}
	first := workload(t, older.signer, older.root)
	both := workload(t, older.signer, newer.root, older.root)
	moved := workload(t, newer.signer, newer.root)
	late := workload(t, expired, older.root)

	cases := map[string]struct {
		found   held
		matcher types.GomegaMatcher
		want    bool
	}{
		"trusts the one root":               {first, trustOnly(older.root), true},
		"trusts another":                    {moved, trustOnly(older.root), false},
		"trusts one more":                   {both, trustOnly(older.root), false},
		"trusts one less":                   {first, trustOnly(older.root, newer.root), false},
		"trusts two, in another order":      {both, trustOnly(older.root, newer.root), true},
		"trusts nobody":                     {held{by: "web"}, trustOnly(older.root), false},
		"a leaf by the signer":              {first, haveLeafBy(older.signer, older.root), true},
		"a leaf by another signer":          {first, haveLeafBy(another, older.root), false},
		"a leaf by the signer of another":   {moved, haveLeafBy(older.signer, older.root), false},
		"a root above that is not asked":    {first, haveLeafBy(older.signer, newer.root), false},
		"a leaf by an expired signer":       {late, haveLeafBy(expired, older.root), false},
		"a chain that misses the signer":    {held{by: "web", chain: first.chain[:1]}, haveLeafBy(older.signer, older.root), false},
		"no leaf by anybody":                {held{by: "web"}, haveLeafBy(older.signer, older.root), false},
		"the leaf it had":                   {first, haveAnotherLeafThan(first), false},
		"another leaf":                      {both, haveAnotherLeafThan(first), true},
		"no leaf any more":                  {held{by: "web"}, haveAnotherLeafThan(first), false},
		"good for a peer with both":         {moved, beTakenBy(both), true},
		"good for a peer with the old root": {first, beTakenBy(both), true},
		"not good for a peer without it":    {moved, beTakenBy(first), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.matcher.Match(c.found)
			if err != nil || got != c.want {
				t.Errorf("%v, %v for %s", got, err, c.found)
			}
			for _, message := range []string{c.matcher.FailureMessage(c.found), c.matcher.NegatedFailureMessage(c.found)} {
				if !strings.Contains(message, c.found.String()) {
					t.Errorf("%q does not say what was seen", message)
				}
			}
		})
	}
	if _, err := trustOnly(older.root).Match("a string"); err == nil {
		t.Error("a string trusts nobody and is no proxy")
	}
}
