package gatewaydeploy

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/evidence"
)

// prepareAll is BeforeAll for containers whose specs a reader replays one by one: Ginkgo reports what
// BeforeAll recorded with the first spec only, here every spec of the container gets the commands.
func prepareAll(prepare func(SpecContext)) {
	var commands []string
	reported := false
	BeforeAll(func(ctx SpecContext) {
		reported = true
		prepare(ctx)
		commands = replayOf(CurrentSpecReport())
	}, Offset(1))
	BeforeEach(func() {
		if !reported {
			for _, command := range commands {
				evidence.Replay("%s", command)
			}
		}
		reported = false
	}, Offset(1))
}

// replayOf are the commands that a spec has recorded so far.
func replayOf(report SpecReport) []string {
	var commands []string
	for _, entry := range report.ReportEntries {
		if entry.Name == evidence.EntryReplay {
			commands = append(commands, entry.StringRepresentation())
		}
	}
	return commands
}

// replayLook records how a user looks at the objects that a spec judged.
func replayLook(namespace, kinds string, names ...string) {
	evidence.Replay("kubectl get %s %s -n %s -o yaml", kinds, strings.Join(names, " "), namespace)
}
