package gatewayapi

import (
	"sigs.k8s.io/gateway-api/conformance/tests"

	"mesh-conformance/suites/internal/session"
)

// planned are the lanes of this run.
func planned() ([]lane, error) {
	if job := session.Job(); job != nil && job.Serial {
		return []lane{serial()}, nil
	}
	return lanes()
}

// serial is upstream's own run: every test, one after the other, in the order of its list. The lanes
// are measured against it.
func serial() lane {
	l := lane{name: "upstream's order"}
	for _, test := range tests.ConformanceTests {
		l.tests = append(l.tests, test.ShortName)
	}
	return l
}
