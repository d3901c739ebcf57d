package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// The formats of the list.
const (
	formatText = "text"
	formatJSON = "json"
)

// listOptions are the flags of `qualify list`.
type listOptions struct {
	focus, labels string
	format        string
	cache, output string
}

func listCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the promises of the release and their specs; needs no cluster and no engine",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return list(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	addFilterFlags(cmd, &o.focus, &o.labels)
	cmd.Flags().StringVar(&o.format, "output-format", formatText, "text or json")
	addPlaceFlags(cmd, &o.cache, &o.output)
	return cmd
}

// addFilterFlags adds the flags that select specs.
func addFilterFlags(cmd *cobra.Command, focus, labels *string) {
	cmd.Flags().StringVar(focus, "focus", "", "only specs whose full name matches this regular expression")
	cmd.Flags().StringVar(labels, "label-filter", "", "only specs whose labels match, for example mirroring, gatewayapi.http (a row's id with dots) or a spec's id: see qualify list")
}

func list(ctx context.Context, out io.Writer, o listOptions) error {
	if o.format != formatText && o.format != formatJSON {
		return problem.Usage(fmt.Sprintf("unknown value %q of --output-format", o.format), "qualify list", "give text or json")
	}
	if err := checkFilters(o.focus, o.labels); err != nil {
		return err
	}
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	if err := writable(at.cache, "--cache"); err != nil {
		return err
	}
	// Not where a run that may be under way has its programs.
	tools, err := buildSuite(ctx, at.repository, filepath.Join(at.cache, "bin", "list"))
	if err != nil {
		return err
	}
	listing, err := survey(ctx, tools, o.focus, o.labels)
	if err != nil {
		return err
	}
	if listing.Selected() == 0 {
		return noSpec(o.focus, o.labels)
	}
	if o.format == formatJSON {
		if o.focus != "" || o.labels != "" {
			listing.Rows = selectedRows(listing.Rows)
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(listing)
	} else {
		_, err = io.WriteString(out, listText(listing, o.focus != "" || o.labels != "", terminalColumns(out)))
	}
	return err
}

// selectedRows are the selected specs and their rows.
func selectedRows(rows []kindconfig.ListedRow) []kindconfig.ListedRow {
	var kept []kindconfig.ListedRow
	for _, row := range rows {
		if row.Specs = selectedSpecs(row); len(row.Specs) > 0 {
			kept = append(kept, row)
		}
	}
	return kept
}

func selectedSpecs(row kindconfig.ListedRow) []kindconfig.ListedSpec {
	return slices.DeleteFunc(slices.Clone(row.Specs), func(spec kindconfig.ListedSpec) bool { return !spec.Selected })
}

// noSpec is the error of filters that select nothing.
func noSpec(focus, labels string) error {
	return problem.Usage("no spec matches", strings.Join(filterArguments("--", focus, labels), " "), "see qualify list")
}

// survey asks the suite what it holds and what filters select, in a dry run.
func survey(ctx context.Context, tools suiteTools, focus, labels string) (*kindconfig.Listing, error) {
	dir, err := os.MkdirTemp("", "mesh-conformance-")
	if err != nil {
		return nil, problem.Environment("cannot make a temporary folder", os.TempDir(), "", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "list.json")
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, tools.suite, append([]string{"--ginkgo.dry-run", "--list=" + file},
		filterArguments("--ginkgo.", focus, labels)...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	runErr := cmd.Run()
	listing, err := kindconfig.LoadListing(file)
	if runErr != nil || err != nil {
		why := runErr
		if why == nil {
			why = err
		}
		return nil, problem.Environment("the suite cannot list its specs", tools.suite, "mend the code",
			fmt.Errorf("%w: %s", why, complaint(output.String())))
	}
	return listing, nil
}

// complaint is the telling line of what a suite printed that did not come up.
func complaint(output string) string {
	for _, line := range strings.Split(output, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "suite_test.go") {
			return line
		}
	}
	return lastLine(output)
}

// listText is the list as a tree: rows, their specs, and what the lists say about them.
func listText(listing *kindconfig.Listing, filtered bool, columns int) string {
	var text strings.Builder
	line := func(format string, args ...any) { text.WriteString(cut(fmt.Sprintf(format, args...), columns) + "\n") }
	rows, selected := 0, 0
	for _, row := range listing.Rows {
		shown := selectedSpecs(row)
		if filtered && len(shown) == 0 {
			continue
		}
		rows, selected = rows+1, selected+len(shown)
		line("%s  %s (%s)", row.ID, row.Title, specCount(len(shown), len(row.Specs)))
		for i, spec := range shown {
			branch, below := "├─", "│ "
			if i == len(shown)-1 {
				branch, below = "└─", "  "
			}
			// The ids of upstream's tests end in the name that their sentence begins with.
			line("%s %s  %s", branch, spec.ID, strings.TrimPrefix(spec.Name, shortName(spec.ID)+": "))
			for _, mark := range marks(spec) {
				line("%s     %s", below, mark)
			}
		}
	}
	line("%d rows, %d specs", rows, selected)
	for _, fault := range listing.Problems {
		line("problem: %s", fault)
	}
	return text.String()
}

// shortName is the last part of a spec's id: its row's id has the same dots between its parts.
func shortName(id string) string { return id[strings.LastIndex(id, ".")+1:] }

func specCount(shown, all int) string {
	switch {
	case all == 0:
		return "no spec yet"
	case shown < all:
		return fmt.Sprintf("%d of %d specs", shown, all)
	case all == 1:
		return "1 spec"
	}
	return fmt.Sprintf("%d specs", all)
}

// marks are what the lists say about a spec.
func marks(spec kindconfig.ListedSpec) []string {
	var lines []string
	if spec.Since != "" {
		lines = append(lines, "promised since Istio "+spec.Since)
	}
	if spec.Until != "" {
		lines = append(lines, "promised before Istio "+spec.Until+" only")
	}
	if d := spec.KnownDefect; d != nil {
		of := fmt.Sprintf("known defect of Istio %s (%s", d.Affected, d.Severity)
		if d.Fixed != "" {
			of += ", repaired in " + d.Fixed
		}
		lines = append(lines, fmt.Sprintf("%s): %s %s", of, d.Reason, d.Link))
	}
	if e := spec.Exemption; e != nil {
		lines = append(lines, fmt.Sprintf("exempt on %s: %s %s", strings.Join(e.For, ", "), e.Reason, e.Link))
	}
	return lines
}
