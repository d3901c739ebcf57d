package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestWatchers(t *testing.T) {
	for name, c := range map[string]struct{ before, raised, meanwhile, after string }{
		"too few are raised and restored":        {"128", "1024", "", "128"},
		"enough stay":                            {"4096", "4096", "", "4096"},
		"what somebody else has set since stays": {"128", "1024", "2048", "2048"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := filepath.Join(t.TempDir(), "limit")
			set := func(value string) {
				if err := os.WriteFile(limit, []byte(value+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			is := func(want string) {
				t.Helper()
				if text, err := os.ReadFile(limit); err != nil || strings.TrimSpace(string(text)) != want {
					t.Errorf("the limit is %q, %v; want %s", text, err, want)
				}
			}
			set(c.before)
			var found before
			// A second start must not take the raised limit for the machine's own.
			for range 2 {
				if err := raiseWatchers(limit, func(limit int) error {
					found.Watchers = strconv.Itoa(limit)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			is(c.raised)
			if c.meanwhile != "" {
				set(c.meanwhile)
			}
			if err := found.restoreWatchers(limit); err != nil {
				t.Fatal(err)
			}
			is(c.after)
		})
	}
}

func TestFewWatchers(t *testing.T) {
	limit := filepath.Join(t.TempDir(), "limit")
	for value, want := range map[string]string{"128": "is 128; if pods end", "1024": "", "nonsense": ""} {
		if err := os.WriteFile(limit, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fewWatchers(limit); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s gives %q, want %q", value, got, want)
		}
	}
	if err := raiseWatchers(filepath.Join(t.TempDir(), "absent"), func(int) error { return nil }); err == nil {
		t.Error("a limit that cannot be read is no error")
	}
}
