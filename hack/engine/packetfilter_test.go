package engine

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sebdah/goldie/v2"
)

func TestUnhook(t *testing.T) {
	saved, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	ours := trace{
		bridges: []string{"mc-491bf83d", "br-e905246a1689"},
		pool:    netip.MustParsePrefix("172.30.0.0/16"),
		forward: "ACCEPT",
	}
	beside := ours
	beside.shared = true
	after := ours
	after.chains = []string{"filter DOCKER-USER", "filter DOCKER", "filter DOCKER-ISOLATION-STAGE-1", "filter DOCKER-ISOLATION-STAGE-2", "nat DOCKER"}
	after.forward = "DROP"
	cases := map[string]trace{
		"the only engine":               ours,
		"beside another engine":         beside,
		"after another engine was here": after,
	}
	golden := goldie.New(t, goldie.WithNameSuffix(".golden"))
	for name, of := range cases {
		t.Run(name, func(t *testing.T) {
			golden.Assert(t, "unhook-"+strings.ReplaceAll(name, " ", "-"), []byte(unhook(string(saved), of)))
		})
	}
}

func TestUnhookLeavesOthersRulesAlone(t *testing.T) {
	saved := `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
-A INPUT -m comment --comment "said \"-i mc-1\" -j DOCKER" -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
-A FORWARD -s 172.16.0.0/12 -j ACCEPT
COMMIT
`
	of := trace{bridges: []string{"mc-1"}, pool: netip.MustParsePrefix("172.31.0.0/16"), forward: "ACCEPT"}
	if script := unhook(saved, of); script != "" {
		t.Errorf("got %q, want nothing", script)
	}
}

func TestChainsOf(t *testing.T) {
	saved := "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n:DOCKERISH - [0:0]\nCOMMIT\n*nat\n:DOCKER - [0:0]\nCOMMIT\n"
	chains, forward := chainsOf(saved)
	if want := []string{"filter DOCKER-USER", "nat DOCKER"}; !slices.Equal(chains, want) {
		t.Errorf("chains %v, want %v", chains, want)
	}
	if forward != "DROP" {
		t.Errorf("policy %q, want DROP", forward)
	}
	if chains, forward := chainsOf(""); len(chains) != 0 || forward != "" {
		t.Errorf("of nothing: %v and %q", chains, forward)
	}
}

func TestRuleWords(t *testing.T) {
	got := ruleWords(`-A INPUT -m comment --comment "a \"b\" c" -j ACCEPT`)
	want := []string{"-A", "INPUT", "-m", "comment", "--comment", `"a \"b\" c"`, "-j", "ACCEPT"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
