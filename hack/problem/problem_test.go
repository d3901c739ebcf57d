package problem

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorIsOneLine(t *testing.T) {
	err := Environment("cannot reach the package source", "go module proxy", "check the network and run again",
		errors.New("dial tcp:\n\tconnection refused"))
	want := "cannot reach the package source (go module proxy): dial tcp: connection refused; check the network and run again"
	if err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
}

func TestExitCode(t *testing.T) {
	cases := map[string]struct {
		err  error
		want int
	}{
		"no error":        {nil, 0},
		"usage":           {Usage("unknown version", "--kubernetes", "use 1.28"), ExitUsage},
		"environment":     {Environment("no engine", "", "", nil), ExitEnvironment},
		"failed specs":    {FailedSpecs("2 specs failed"), ExitFailedSpecs},
		"undecided":       {Undecided("1 spec is undecided", "run again"), ExitEnvironment},
		"wrapped":         {fmt.Errorf("run: %w", Usage("x", "", "")), ExitUsage},
		"unknown error":   {errors.New("boom"), ExitEnvironment},
		"a joined errors": {errors.Join(errors.New("a"), FailedSpecs("b")), ExitFailedSpecs},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ExitCode(c.err); got != c.want {
				t.Errorf("ExitCode(%v) = %d, want %d", c.err, got, c.want)
			}
		})
	}
}

func TestIsUndecided(t *testing.T) {
	undecided := fmt.Errorf("a: %w", Undecided("1 spec is undecided", "run again"))
	cases := map[string]struct {
		err  error
		want bool
	}{
		"undecided":             {undecided, true},
		"the machine's fault":   {Environment("no engine", "", "", nil), false},
		"failed":                {FailedSpecs("1 spec failed"), false},
		"no error":              {nil, false},
		"failed, and undecided": {errors.Join(FailedSpecs("1 spec failed"), undecided), false},
	}
	for name, c := range cases {
		if got := IsUndecided(c.err); got != c.want {
			t.Errorf("%s: IsUndecided(%v) = %t", name, c.err, got)
		}
	}
}
