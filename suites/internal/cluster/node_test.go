package cluster

import "testing"

func TestExecCommandQuotes(t *testing.T) {
	for want, arguments := range map[string][]string{
		"docker exec node ip":                     {},
		"docker exec node ip 'addr' 'a b'":        {"addr", "a b"},
		`docker exec node ip 'grep '\''x'\'' $y'`: {"grep 'x' $y"},
	} {
		if got := execCommand("node", "ip", arguments...); got != want {
			t.Errorf("%q: %s, want %s", arguments, got, want)
		}
	}
}
