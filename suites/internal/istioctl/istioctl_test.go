package istioctl

import (
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	for want, c := range map[string]struct {
		answer    string
		arguments []string
	}{
		"istioctl version --remote=false":             {"", []string{"version", "--remote=false"}},
		"istioctl x 'it'\\''s' ''":                    {"", []string{"x", "it's", ""}},
		"echo n | istioctl uninstall":                 {"n\n", []string{"uninstall"}},
		"istioctl analyze 'a b' --set 'c={d}' -n e.f": {"", []string{"analyze", "a b", "--set", "c={d}", "-n", "e.f"}},
	} {
		if got := Line("istioctl", c.answer, c.arguments); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestExit(t *testing.T) {
	outcome := Outcome{Command: "istioctl x", Stdout: "one two", Stderr: "Error: three", Code: 1}
	for name, c := range map[string]struct {
		code  int
		texts []string
		want  bool
		says  string
	}{
		"code":               {1, nil, true, ""},
		"words on both":      {1, []string{"two", "three"}, true, ""},
		"another code":       {0, nil, false, `wanted exit code 0, got exit code 1, with "Error: three", of "istioctl x", which said: one two`},
		"a word is missing":  {1, []string{"two", "four"}, false, `wanted exit code 1 and the words ["four"], got exit code 1`},
		"both are different": {2, []string{"four"}, false, `wanted exit code 2 and the words ["four"]`},
	} {
		matcher := Exit(c.code, c.texts...)
		got, err := matcher.Match(outcome)
		if err != nil || got != c.want {
			t.Errorf("%s: got %t, %v", name, got, err)
		}
		if said := matcher.FailureMessage(outcome); !got && !strings.HasPrefix(said, c.says) {
			t.Errorf("%s: %s", name, said)
		}
	}
	if _, err := Exit(0).Match("text"); err == nil {
		t.Error("a string was taken for an outcome")
	}
}

func TestSay(t *testing.T) {
	for text, want := range map[string]bool{"two": true, "three": true, "four": false} {
		outcome := Outcome{Command: "istioctl x", Stdout: "one two", Stderr: "three\n"}
		if got, err := Say(text).Match(outcome); err != nil || got != want {
			t.Errorf("%s: %t, %v", text, got, err)
		}
		if said := Say(text).FailureMessage(outcome); !strings.HasPrefix(said, `wanted the words ["`+text+`"], got exit code 0, at last "three"`) {
			t.Error(said)
		}
		if said := Say(text).NegatedFailureMessage(outcome); !strings.HasPrefix(said, `wanted anything but the words ["`+text+`"], got `) {
			t.Error(said)
		}
	}
	if _, err := Say("two").Match("text"); err == nil {
		t.Error("a string was taken for an outcome")
	}
}

func TestOutcomeString(t *testing.T) {
	if got := (Outcome{Command: "istioctl"}).String(); got != `exit code 0 of "istioctl", which said: nothing` {
		t.Error(got)
	}
}

func TestMessages(t *testing.T) {
	outcome := Outcome{Stdout: `[{"code":"IST0101","level":"Error","message":"m","origin":"VirtualService a.b"},
		{"code":"IST0136","level":"Info","message":"n","origin":"Pod a/c"}]` + "\ntrailing"}
	messages, err := outcome.Messages()
	if err != nil || len(messages) != 2 {
		t.Fatalf("%v, %v", messages, err)
	}
	if codes := On(messages, "Pod a/c"); len(codes) != 1 || codes[0] != "IST0136" {
		t.Errorf("got %v", codes)
	}
	if codes := On(messages, "Pod a/d"); len(codes) != 0 {
		t.Errorf("got %v", codes)
	}
	if got := messages[0].String(); got != "Error [IST0101] (VirtualService a.b) m" {
		t.Error(got)
	}
	for _, wrong := range []string{"", "✔ No issues", `{"code":"x"}`} {
		if _, err := (Outcome{Stdout: wrong}).Messages(); err == nil {
			t.Errorf("%q was read as messages", wrong)
		}
	}
}

func TestFollow(t *testing.T) {
	for output, want := range map[string]string{
		"http://localhost:15000\nskipping opening a browser": "http://localhost:15000",
		"warning\nhttp://localhost:1\nhttp://localhost:2\n":  "http://localhost:1",
		"Error: no pods found\n":                             "",
		"":                                                   "",
	} {
		address := make(chan string, 1)
		if said := follow(strings.NewReader(output), address); said != output {
			t.Errorf("%q became %q", output, said)
		}
		if got := <-address; got != want {
			t.Errorf("%q: got %q", output, got)
		}
	}
}
