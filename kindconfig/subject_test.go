package kindconfig

import "testing"

func TestWithin(t *testing.T) {
	for name, c := range map[string]struct {
		base, ranges string
		want, fails  bool
	}{
		"first of the range":           {"1.20.0", ">=1.20.0 <1.20.7", true, false},
		"the release that repairs":     {"1.20.7", ">=1.20.0 <1.20.7", false, false},
		"in the second range":          {"1.21.1", ">=1.20.0 <1.20.7 || >=1.21.0 <1.21.2", true, false},
		"between the ranges":           {"1.20.9", ">=1.20.0 <1.20.7 || >=1.21.0 <1.21.2", false, false},
		"a minor stands for its first": {"1.20", ">=1.20.0 <1.20.7", true, false},
		"no range":                     {"1.20.0", "soon", false, true},
		"no release":                   {"unknown", ">=1.20.0", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := ReleaseSubject(c.base)
			got, err := s.Within(c.ranges)
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("Within = %v, %v", got, err)
			}
		})
	}
}
