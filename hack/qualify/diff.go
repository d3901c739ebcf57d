package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/reports"
)

func diffCommand() *cobra.Command {
	var cache, output string
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "List the specs that two runs do not agree on",
		Long: "List the specs that two runs on the same minor version of Kubernetes do not agree on, for example of a patched build\n" +
			"and of the release that it is made from. What each run tested stands above.\n\n" +
			"A run is named by its folder or its id. Exit codes: 0 every spec came out alike, 1 some did not, 2 the command\n" +
			"line is wrong, 3 a run has no verdict, or all that differs is undecided in one of the runs.",
		Args: usageArgs(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, runs []string) error {
			at, err := findPlaces(cache, output)
			if err != nil {
				return err
			}
			return diff(cmd.OutOrStdout(), at.output, runs[0], runs[1])
		},
	}
	addPlaceFlags(cmd, &cache, &output)
	return cmd
}

func diff(out io.Writer, output string, runs ...string) error {
	var results []*reports.Results
	for _, run := range runs {
		dir, err := cellFolder(output, run)
		if err != nil {
			return err
		}
		o, err := outcomeIn(run, dir)
		if err != nil {
			return err
		}
		if o.Results == nil {
			return problem.Environment("a run without a verdict cannot be compared: "+o.Why, dir, "", nil)
		}
		results = append(results, o.Results)
	}
	changes, err := reports.Diff(results[0], results[1])
	if err != nil {
		return err
	}
	if err := reports.WriteDiff(out, results[0], results[1], changes); err != nil {
		return problem.Environment("cannot show the differences", "", "", err)
	}
	undecided := 0
	for _, change := range changes {
		if change.Undecided() {
			undecided++
		}
	}
	return disagreement(len(changes)-undecided, undecided)
}

// disagreement is the error of so many specs that came out differently, and of so many that one of the runs left
// undecided.
func disagreement(differing, undecided int) error {
	open := fmt.Sprintf("%d specs are undecided in one of the runs", undecided)
	if undecided == 1 {
		open = "1 spec is undecided in one of the runs"
	}
	said := fmt.Sprintf("%d specs differ", differing)
	if differing == 1 {
		said = "1 spec differs"
	}
	switch {
	case differing > 0 && undecided > 0:
		return problem.FailedSpecs(said + ", " + open)
	case differing > 0:
		return problem.FailedSpecs(said)
	case undecided > 0:
		return problem.Undecided(open+" and cannot be compared", "compare runs that decided them")
	}
	return nil
}
