package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// sinceFile has the release that each promise came with, below the checkout's root.
const sinceFile = "suites/since.yaml"

func selfcheckCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "selfcheck-release [RUN]",
		Short: "Show on an older release that the suite detects missing promises",
		Long: "Run the suite on a release that is older than the promises of the suite, and judge the run: exactly the specs of\n" +
			"later promises have to fail (" + sinceFile + "), each with a message of its own. With RUN, a folder or an id, judge\n" +
			"a finished run instead.\n\n" +
			"Exit codes: 0 every spec came out as expected, 1 some did not, 2 the command line is wrong, 3 the machine is, or a\n" +
			"spec has no outcome.",
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return selfcheck(cmd.Context(), cmd.OutOrStdout(), o, args, run)
		},
	}
	addCellFlags(cmd, &o)
	cmd.Flags().Lookup("istio").Usage = "the older release (default: the release that upgrades to the default subject start from)"
	return cmd
}

// selfcheck judges a run on the negative control: the one that args name, or one that do makes.
func selfcheck(ctx context.Context, out io.Writer, o runOptions, args []string, do runner) error {
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	since, err := loadSince(filepath.Join(at.repository, filepath.FromSlash(sinceFile)))
	if err != nil {
		return err
	}
	var dir string
	if len(args) > 0 {
		if dir, err = runFolder(at.output, args[0]); err != nil {
			return err
		}
	} else {
		if o.istio == "" {
			if o.istio, err = negativeControl(); err != nil {
				return err
			}
		}
		// That specs fail is what the check wants; a run without a verdict is none to judge.
		if dir, err = do(ctx, out, o); err != nil && problem.ExitCode(err) != problem.ExitFailedSpecs &&
			!problem.IsUndecided(err) {
			return err
		}
	}
	return judgeControl(out, dir, since)
}

// judgeControl adds the judgement to a run's results, renders its reports again and gives the verdict.
func judgeControl(out io.Writer, dir string, since map[string]string) error {
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
	if found.Results.SelfCheck, err = reports.JudgeSelfCheck(found.Results, found.Results.Cell.Istio, since); err != nil {
		return err
	}
	if err := found.Results.Save(filepath.Join(dir, kindconfig.ResultsFile)); err != nil {
		return problem.Environment("cannot write the judgement", dir, "make it writable", err)
	}
	return conclude(out, dir, false)
}

// negativeControl is the release that is older than the promises of the default subject.
func negativeControl() (string, error) {
	versions, err := kindconfig.Load()
	if err != nil {
		return "", err
	}
	subject, err := versions.ForIstio("")
	if err != nil {
		return "", err
	}
	return subject.Upgrade.From, nil
}

var minorRelease = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// loadSince reads since.yaml: the release, as major and minor version, by the id of a spec or a beginning of ids.
func loadSince(path string) (map[string]string, error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, problem.Environment("cannot read the releases of the promises", path, "", err)
	}
	// Not of strings: without quotes, 1.20 is the number 1.2.
	var entries map[string]any
	if err := yaml.UnmarshalStrict(content, &entries); err != nil {
		return nil, problem.Usage("malformed list: "+err.Error(), path, "correct the file")
	}
	since := map[string]string{}
	for id, value := range entries {
		release, isText := value.(string)
		if !isText || !minorRelease.MatchString(release) {
			return nil, problem.Usage(fmt.Sprintf("the promise of %s came with %v, which is no minor version in quotes", id, value),
				path, `name one like "1.20"`)
		}
		since[id] = release
	}
	return since, nil
}
