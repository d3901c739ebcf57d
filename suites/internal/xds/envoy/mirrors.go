package envoy

import "fmt"

// String is the policy in a few words.
func (m Mirror) String() string {
	traced := "untraced"
	if m.TraceSampled {
		traced = "traced"
	}
	return fmt.Sprintf("%s %d/%d %s", m.Cluster, m.Parts, m.Of, traced)
}
