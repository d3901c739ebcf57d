package evidence

import (
	"strings"

	"github.com/onsi/ginkgo/v2"
)

// BeforeAll is Ginkgo's for containers whose specs a reader replays one by one: Ginkgo reports what
// BeforeAll recorded with the first spec only, here every spec of the container gets the commands.
func BeforeAll(prepare func(ginkgo.SpecContext)) {
	var commands []string
	reported := false
	ginkgo.BeforeAll(func(ctx ginkgo.SpecContext) {
		reported = true
		// A container around this one repeats its own commands itself.
		before := len(replayOf(ginkgo.CurrentSpecReport()))
		prepare(ctx)
		commands = replayOf(ginkgo.CurrentSpecReport())[before:]
	}, ginkgo.Offset(1))
	ginkgo.BeforeEach(func() {
		if !reported {
			for _, command := range commands {
				Replay("%s", command)
			}
		}
		reported = false
	}, ginkgo.Offset(1))
}

// replayOf are the commands that a spec has recorded so far.
func replayOf(report ginkgo.SpecReport) []string {
	var commands []string
	for _, entry := range report.ReportEntries {
		if entry.Name == EntryReplay {
			commands = append(commands, entry.StringRepresentation())
		}
	}
	return commands
}

// Look records how a user looks at the objects that a spec judged.
func Look(namespace, kinds string, names ...string) {
	Replay("kubectl get %s %s -n %s -o yaml", kinds, strings.Join(names, " "), namespace)
}
