package mirroring

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
)

// timed sends requests for two hosts by turns, so that whatever else the machine does meets both alike, and
// gives how long each took.
func timed(ctx context.Context, visitor echo.Visitor, count int, hosts ...string) (map[string][]time.Duration, map[string]echo.Answers) {
	GinkgoHelper()
	took, answers := map[string][]time.Duration{}, map[string]echo.Answers{}
	for range count {
		for _, host := range hosts {
			begun := time.Now()
			got, err := visitor.Send(ctx, "http://"+host+"/", 1)
			Expect(err).NotTo(HaveOccurred())
			took[host] = append(took[host], time.Since(begun))
			answers[host] = answers[host].And(got)
		}
	}
	for _, host := range hosts {
		evidence.Replay("%s", visitor.Command("http://"+host+"/"))
		evidence.Traffic(answers[host].Way, "%s, in %s", answers[host], spread(took[host]))
	}
	return took, answers
}

// median is the time within which half of the requests were answered.
func median(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// spread is how long requests took, in a few words.
func spread(took []time.Duration) string {
	return fmt.Sprintf("%s to %s, half of them within %s", slices.Min(took), slices.Max(took), median(took))
}
