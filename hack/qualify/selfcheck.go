package main

import (
	"context"
	"io"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

func selfcheckCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "selfcheck-release [RUN]",
		Short: "Show on an older release that the suite detects missing promises",
		Long: "Run the suite on a release that is older than the promises of the suite, and judge the run: exactly the specs of\n" +
			"later promises have to fail, each with a message of its own. With RUN, a folder or an id, judge a finished run\n" +
			"instead.\n\n" +
			"Exit codes: 0 every spec came out as expected, 1 some did not, 2 the command line is wrong, 3 the machine is, or a\n" +
			"spec has no outcome.",
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if err := onlyPlaces(cmd); err != nil {
					return err
				}
			}
			return selfcheck(cmd.Context(), cmd.OutOrStdout(), o, args, run)
		},
	}
	addCellFlags(cmd, &o)
	cmd.Flags().Lookup("istio").Usage = "the older release (default: the pinned negative control)"
	return cmd
}

// selfcheck judges a run on the negative control: the one that args name, or one that do makes.
func selfcheck(ctx context.Context, out io.Writer, o runOptions, args []string, do runner) error {
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	var dir string
	if len(args) > 0 {
		if dir, err = runFolder(at.output, args[0]); err != nil {
			return err
		}
	} else {
		if reflect.ValueOf(o.asked).IsZero() && o.subjectFile == "" {
			versions, err := kindconfig.Load()
			if err != nil {
				return err
			}
			o.asked.Istio = versions.Defaults.Control
		}
		o.everyPromise, o.control = true, true
		// That specs fail is what the check wants; a run without a verdict is none to judge.
		if dir, err = do(ctx, out, o); err != nil && problem.ExitCode(err) != problem.ExitFailedSpecs &&
			!problem.IsUndecided(err) {
			return err
		}
	}
	return judgeControl(out, dir)
}

// onlyPlaces refuses every flag but those of folders: judging a finished run does not run anything.
func onlyPlaces(cmd *cobra.Command) error {
	var ignored []string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "cache" && flag.Name != "output" {
			ignored = append(ignored, "--"+flag.Name)
		}
	})
	if len(ignored) == 0 {
		return nil
	}
	return problem.Usage("a finished run is judged as it ran, and flags would change nothing", strings.Join(ignored, ", "),
		"leave them out, or leave out RUN")
}

// lacksPromise reports whether the suite has a spec of a promise that came after the release of a build. A build that is
// placed at no release counts as one that lacks it.
func lacksPromise(subject kindconfig.Subject, listing *kindconfig.Listing) bool {
	for _, row := range listing.Rows {
		for _, spec := range row.Specs {
			if spec.Since == "" {
				continue
			}
			if makes, err := subject.Within(">=" + spec.Since); err != nil || !makes {
				return true
			}
		}
	}
	return false
}

// judgeControl adds the judgement to a run's results, renders its reports again and gives the verdict.
func judgeControl(out io.Writer, dir string) error {
	found, err := outcomeIn(dir, dir)
	if err != nil {
		return err
	}
	if found.Results == nil {
		return problem.Environment("a run without a verdict cannot be judged: "+found.Why, dir, "", nil)
	}
	if found.Results.Run.Filter != "" {
		return problem.Usage("the run was filtered: "+found.Results.Run.Filter, dir, "judge a run of every spec")
	}
	// A build with a version of its own is taken for a release: 1.20.0-acme.1 would be older than 1.20.0.
	release := found.Results.Cell.Istio
	if found.Results.Subject != nil {
		release = found.Results.Subject.Base
	}
	if found.Results.SelfCheck, err = reports.JudgeSelfCheck(found.Results, release); err != nil {
		return err
	}
	if err := found.Results.Save(filepath.Join(dir, kindconfig.ResultsFile)); err != nil {
		return problem.Environment("cannot write the judgement", dir, "make it writable", err)
	}
	return conclude(out, dir, false)
}
