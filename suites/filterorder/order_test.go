package filterorder

import (
	"slices"
	"strings"
	"testing"
)

// of gives steps named like their phases.
func of(phases ...phase) []step {
	var steps []step
	for _, phase := range phases {
		steps = append(steps, step{Name: strings.ToLower(string(phase)), Phase: phase})
	}
	return steps
}

func TestBreaches(t *testing.T) {
	const unlisted phase = ""
	cases := map[string]struct {
		steps []step
		want  []string
	}{
		"the whole order":               {of(documented...), nil},
		"parts of the order":            {of(customAuthz, authz, stats), nil},
		"several of a phase":            {of(authn, authn, authz, authz, authz), nil},
		"others between":                {of(metadataExchange, unlisted, authn, unlisted, stats, unlisted), nil},
		"nothing":                       {nil, nil},
		"two the wrong way round":       {of(authz, authn), []string{"authz (Authz) stands before authn (Authn)"}},
		"the wrong way round, far away": {of(stats, unlisted, authz, unlisted, customAuthz), []string{"stats (Stats) stands before authz (Authz)", "authz (Authz) stands before custom authz (CUSTOM Authz)"}},
		"unspecified before stats": {of(wasmStats, wasmUnspecified, stats),
			[]string{"wasm unspecified (WASM unspecified) stands before stats (Stats)"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := breaches(c.steps, documented); !slices.Equal(got, c.want) {
				t.Errorf("breaches %q, want %q", got, c.want)
			}
		})
	}
}

func TestDisagreements(t *testing.T) {
	inbound := list{"inbound", of(documented...)}
	outbound := list{"outbound", of(metadataExchange, wasmAuthn, wasmAuthz, wasmStats, stats)}
	// What Istio 1.19.0 had for TCP: the upgrade notes name both changes.
	inbound119 := list{"inbound TCP", of(authn, metadataExchange, customAuthz, authz, stats)}
	gateway119 := list{"gateway TCP", of(metadataExchange, stats, authn, customAuthz, authz)}
	cases := map[string]struct {
		lists []list
		// want are parts of the disagreements, one for each.
		want     []string
		compared int
	}{
		"parts of one order":  {[]list{inbound, outbound}, nil, 10},
		"nothing in common":   {[]list{{"a", of(authn, authz)}, {"b", of(wasmStats, stats)}}, nil, 0},
		"one list":            {[]list{inbound}, nil, 0},
		"others do not count": {[]list{{"a", of(authn, "")}, {"b", of("", authn)}}, nil, 0},
		"as of Istio 1.19.0": {[]list{inbound119, gateway119}, []string{
			"gateway TCP: Metadata Exchange before Authn, inbound TCP: the other way round",
			"gateway TCP: Stats before Authn, inbound TCP",
			"gateway TCP: Stats before CUSTOM Authz, inbound TCP",
			"gateway TCP: Stats before Authz, inbound TCP",
		}, 10},
		"a phase on both sides of another": {[]list{{"a", of(authn, authz, authn)}}, []string{"a: Authz before Authn, a: the other way round"}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, compared := disagreements(c.lists)
			if compared != c.compared {
				t.Errorf("%d pairs compared, want %d", compared, c.compared)
			}
			if len(got) != len(c.want) {
				t.Fatalf("disagreements %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%q does not say %q", got[i], want)
				}
			}
		})
	}
}
