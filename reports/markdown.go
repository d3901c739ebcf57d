package reports

import (
	"fmt"
	"html"
	"strings"
)

// A step summary of GitHub may have 1 MiB; beyond these limits the other reports have the rest.
const (
	markdownWhy     = 240
	markdownFailure = 4000
	markdownFolded  = 50
)

// Markdown renders what a release manager reads first, for example in a GitHub step summary.
func Markdown(r *Results) []byte {
	var b strings.Builder
	end := conclude(r)
	fmt.Fprintf(&b, "# %s %s: %s on Kubernetes %s\n\n", end.mark(), end.Word, text(r.Cell.subject()),
		text(r.Cell.Kubernetes))
	fmt.Fprintf(&b, "%s\n\n", end.Sentence)
	fmt.Fprintf(&b, "Proxy: %s · started %s · %s on %s", text(r.Cell.proxy()), r.Run.Started.UTC().Format("2006-01-02 15:04 UTC"),
		duration(r.Run.Seconds), processes(r.Run.Procs))
	if r.Run.Filter != "" {
		fmt.Fprintf(&b, " · filter %s", code(r.Run.Filter))
	}
	b.WriteString("\n\n")
	if r.Run.Machine != nil {
		fmt.Fprintf(&b, "Machine: %s\n\n", r.Run.Machine.words())
	}
	markdownTotals(&b, r.Totals)
	markdownSelfCheck(&b, r.SelfCheck)
	markdownListed(&b, "Repaired", "This build passes specs that the releases it is made from fail.", repairedIn(r, RepairedHere))
	markdownLines(&b, "Problems of the run", r.Problems)
	markdownLines(&b, "Causes outside of the build", r.Causes)
	markdownFailures(&b, "Failures", specsIn(r, StateFailed, StateFlaky))
	markdownFailures(&b, "Undecided", specsIn(r, StateUndecided))
	for _, part := range byList(specsIn(r, StateKnownDefect)) {
		markdownListed(&b, titled("Known defects", part.List), "These fail as listed. None counts as a pass.", part.Specs)
	}
	markdownListed(&b, "Repaired since earlier releases", "Earlier releases fail these specs; this build passes them.",
		repairedIn(r, RepairedSince))
	for _, part := range byList(specsIn(r, StateExempt)) {
		markdownListed(&b, titled("Exemptions", part.List), "This cell cannot show these.", part.Specs)
	}
	if r.Run.Filter == "" {
		markdownListed(&b, "Not run", "", specsIn(r, StateNotRun))
	}
	markdownRows(&b, rowViews(r))
	markdownSubject(&b, r.Subject, r.Installation)
	markdownImages(&b, r)
	return []byte(b.String())
}

func markdownTotals(b *strings.Builder, totals Totals) {
	b.WriteString("| passed | failed | flaky | undecided | known defects | exempt | not run | specs |\n")
	b.WriteString("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	fmt.Fprintf(b, "| %d | %d | %d | %d | %d | %d | %d | **%d** |\n\n", totals.Passed, totals.Failed, totals.Flaky,
		totals.Undecided, totals.KnownDefect, totals.Exempt, totals.NotRun, totals.Total)
}

func markdownLines(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", text(oneLine(line, 0)))
	}
	b.WriteString("\n")
}

func markdownFailures(b *strings.Builder, title string, specs []Spec) {
	if len(specs) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for i, spec := range specs {
		fmt.Fprintf(b, "- %s **%s**", spec.State.glyph(), text(oneLine(spec.Name, 0)))
		if spec.State == StateFlaky {
			fmt.Fprintf(b, " (flaky, passed at attempt %d)", spec.Attempts)
		}
		fmt.Fprintf(b, " %s  \n  %s", code(spec.ID), text(why(spec, markdownWhy)))
		if machine := machineOf(spec); machine != "" {
			fmt.Fprintf(b, "  \n  Machine: %s", text(machine))
		}
		if spec.Diagnostics != "" {
			// Two spaces break the line.
			fmt.Fprintf(b, "  \n  Diagnostics: %s", code(spec.Diagnostics))
		}
		b.WriteString("\n")
		if full := plain(spec.Failure); strings.Contains(full, "\n") && i < markdownFolded {
			fmt.Fprintf(b, "  <details><summary>Full message</summary><pre>%s</pre></details>\n", block(clip(full, markdownFailure)))
		}
	}
	b.WriteString("\n")
}

func markdownListed(b *strings.Builder, title, note string, specs []Spec) {
	if len(specs) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", text(title))
	if note != "" {
		fmt.Fprintf(b, "%s\n\n", note)
	}
	for _, spec := range specs {
		fmt.Fprintf(b, "- **%s** %s", text(oneLine(spec.Name, 0)), code(spec.ID))
		if said := defectWords(spec); said != "" {
			fmt.Fprintf(b, " (%s)", text(said))
		}
		fmt.Fprintf(b, "  \n  %s", text(why(spec, markdownWhy)))
		if link := web(spec.Link); link != "" {
			fmt.Fprintf(b, " ([%s](%s))", text(linkText(link)), target(link))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func markdownRows(b *strings.Builder, rows []rowView) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("## Promises\n\n| | promise | state | specs | time |\n| --- | --- | --- | --- | ---: |\n")
	for _, row := range rows {
		took := ""
		if row.Totals.Ran() > 0 {
			took = duration(row.Seconds)
		}
		fmt.Fprintf(b, "| %s | %s<br>%s | %s | %s | %s |\n", row.State.glyph(), text(row.Title), code(row.ID), row.State.words(), row.Tried(), took)
	}
	b.WriteString("\n")
}

func markdownImages(b *strings.Builder, r *Results) {
	fmt.Fprintf(b, "<details><summary>Images, engine and command (%s)</summary>\n\n", plural(len(r.Images), "image"))
	if len(r.Images) > 0 {
		b.WriteString("| image | role | source | digest |\n| --- | --- | --- | --- |\n")
		for _, image := range r.Images {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", code(image.Reference), image.Role, image.Provenance(), code(image.Digest))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "Engine: %s · run %s", text(r.Engine), code(r.Run.ID))
	if r.Run.Command != "" {
		fmt.Fprintf(b, " · repeat with %s", code(r.Run.Command))
	}
	b.WriteString("\n\n</details>\n")
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// markup are the characters that mean something to Markdown inside a line.
var markup = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`, "~", `\~`)

func text(s string) string { return markup.Replace(s) }

// code quotes s, which may itself hold backticks; a pipe would end a table's cell.
func code(s string) string {
	s = oneLine(s, 0)
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "`|") {
		return "<code>" + text(s) + "</code>"
	}
	return "`" + s + "`"
}

// block quotes text for a pre element inside a list: an empty line would end the list's HTML block.
func block(s string) string {
	return strings.ReplaceAll(html.EscapeString(s), "\n", "&#10;")
}

func clip(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "\n… the other reports have the rest"
	}
	return s
}

// target makes a link safe inside the parentheses of a Markdown link.
func target(link string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "|", "%7C", "<", "%3C", ">", "%3E").Replace(link)
}

// linkText shortens the address of an issue to what people call it.
func linkText(link string) string {
	parts := strings.Split(strings.TrimPrefix(link, "https://github.com/"), "/")
	if len(parts) == 4 && strings.HasPrefix(link, "https://github.com/") && (parts[2] == "issues" || parts[2] == "pull") {
		return parts[0] + "/" + parts[1] + "#" + parts[3]
	}
	return strings.TrimPrefix(strings.TrimPrefix(link, "https://"), "http://")
}
