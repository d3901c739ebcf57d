// Package failure takes a failed spec's diagnostics before anything is cleaned up.
package failure

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/results"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/staticpod"
	"mesh-conformance/suites/internal/timing"
)

// lists tell which failures are expected.
var lists = &results.Lists{}

// Know has what fails as it is known to not be diagnosed: its message has been seen, and its reason is in the list.
func Know(expected *results.Lists) { lists = expected }

// recordRestarts adds a report entry for each restart of the cluster's control plane that can explain a failure of
// the current spec: one during the spec, or so shortly before it that waits of the spec still felt it.
func recordRestarts(ctx context.Context, began time.Time) {
	restarted, err := staticpod.Restarts(ctx, kube.Shared())
	if err != nil {
		ginkgo.GinkgoWriter.Printf("%v\n", err)
		return
	}
	for _, restart := range explaining(restarted, began) {
		ginkgo.AddReportEntry(results.EntryRestart, restart.String(), ginkgo.ReportEntryVisibilityNever)
		ginkgo.GinkgoWriter.Printf("%s\n", restart)
	}
}

// lostAPIServer reports whether the API server does not respond to the suite, and how, in one line. Any response is
// one.
func lostAPIServer(ctx context.Context, client *kube.Client) (line string, is bool) {
	ctx, cancel := context.WithTimeout(ctx, timing.Request())
	defer cancel()
	begun := time.Now()
	err := client.Clientset.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	var status apierrors.APIStatus
	if err == nil || errors.As(err, &status) {
		return "", false
	}
	return deadline.Missed("the API server of cluster "+client.Name+" did not respond to /readyz", begun, "", err).Error(), true
}

// aftermath is how long a restart is felt, for example by leases and watches.
const aftermath = 2 * time.Minute

// explaining returns the restarts from two minutes before a spec began.
func explaining(restarted []staticpod.Restart, began time.Time) []staticpod.Restart {
	return slices.DeleteFunc(slices.Clone(restarted), func(restart staticpod.Restart) bool {
		return restart.At.Before(began.Add(-aftermath))
	})
}

// taken is the spec, and its attempt, whose diagnostics this process took last.
var taken string

// Dump writes the diagnostics of the current spec, which fails, once for each attempt, and names their folder in
// the spec's report. A known defect has none. A spec whose resources go before Ginkgo's own cleanup calls it itself.
func Dump(ctx context.Context, namespaces []string) {
	report := ginkgo.CurrentSpecReport()
	id := results.SpecID(report)
	attempt := fmt.Sprintf("%s#%d", id, report.NumAttempts)
	job := session.Job()
	if taken == attempt || job == nil || lists.FailsAsKnown(report, job.Cell.Subject) {
		return
	}
	taken = attempt
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timing.Diagnostics())
	defer cancel()
	if line, lost := lostAPIServer(ctx, kube.Shared()); lost {
		ginkgo.AddReportEntry(results.EntryLost, line, ginkgo.ReportEntryVisibilityNever)
		ginkgo.GinkgoWriter.Printf("no diagnostics: %s\n", line)
		return
	}
	recordRestarts(ctx, report.StartTime)
	dir, err := diagnose.Spec(ctx, kube.Shared(), job.Path(kindconfig.DiagnosticsDir), id, slices.Compact(namespaces), report.StartTime)
	if err != nil {
		ginkgo.GinkgoWriter.Printf("diagnostics could not be taken: %v\n", err)
		return
	}
	if relative, err := filepath.Rel(job.Directory, dir); err == nil {
		dir = relative
	}
	ginkgo.GinkgoWriter.Printf("diagnostics: %s\n", dir)
	ginkgo.AddReportEntry(results.EntryDiagnostics, dir, ginkgo.ReportEntryVisibilityNever)
}
