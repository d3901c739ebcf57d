package match

import (
	"fmt"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
)

// HaveServerError holds for requests that were all answered with a status of 500 to 599.
func HaveServerError() types.GomegaMatcher {
	const least, most = 500, 599
	return everyAnswer(fmt.Sprintf("all have a status of %d to %d", least, most), func(answer echo.Answer) bool {
		return answer.Status >= least && answer.Status <= most
	})
}
