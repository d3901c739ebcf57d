package match

import (
	"fmt"
	"math"
	"testing"
)

func TestBeShareOf(t *testing.T) {
	check(t, map[string]verdict{
		"half":                    {BeShareOf(1000, 0.5), 500, true, []string{"500 of 1000", "416 to 584", "not to be a share of 0.5"}},
		"half, the least":         {BeShareOf(1000, 0.5), 416, true, nil},
		"half, the greatest":      {BeShareOf(1000, 0.5), 584, true, nil},
		"half, too few":           {BeShareOf(1000, 0.5), 415, false, []string{"415 of 1000", "to be a share of 0.5 of 1000 requests, 416 to 584"}},
		"half, too many":          {BeShareOf(1000, 0.5), 585, false, []string{"585 of 1000"}},
		"half, none":              {BeShareOf(1000, 0.5), 0, false, nil},
		"half, all":               {BeShareOf(1000, 0.5), 1000, false, nil},
		"none":                    {BeShareOf(1000, 0), 0, true, []string{"not to be none of 1000 requests", "0 of 1000"}},
		"none, but one":           {BeShareOf(1000, 0), 1, false, []string{"to be none of 1000 requests", "1 of 1000"}},
		"all":                     {BeShareOf(1000, 1), 1000, true, []string{"not to be all of 1000 requests"}},
		"all but one":             {BeShareOf(1000, 1), 999, false, []string{"to be all of 1000 requests", "999 of 1000"}},
		"all and one":             {BeShareOf(1000, 1), 1001, false, nil},
		"nearly all can be all":   {BeShareOf(20, 0.99), 20, true, nil},
		"more than there are":     {BeShareOf(20, 0.99), 21, false, nil},
		"nearly none may be none": {BeShareOf(20, 0.01), 0, true, nil},
		"fewer than none":         {BeShareOf(20, 0.01), -1, false, nil},
	})
	refuses(t, BeShareOf(0, 0.5), 0)
	refuses(t, BeShareOf(0, 0), 0)
	refuses(t, BeShareOf(-1, 1), -1)
	refuses(t, BeShareOf(1000, math.NaN()), 500)
	refuses(t, BeShareOf(1000, 1.5), 1500)
	refuses(t, BeShareOf(1000, -0.5), 0)
	refuses(t, BeShareOf(1000, 0.5), "500")
}

// The inequality behind the bounds is held against the distribution itself.
func TestShareBoundsKeepFalseAlarmsRare(t *testing.T) {
	for _, n := range []int{1, 10, 20, 100, 1000, 5000} {
		for _, p := range []float64{0.001, 0.1, 0.5, 0.73, 0.999} {
			t.Run(fmt.Sprintf("%g of %d", p, n), func(t *testing.T) {
				low, high := shareBounds(n, p)
				if alarm := outside(n, p, low, high); alarm >= falseAlarm {
					t.Errorf("%d to %d is left with probability %g", low, high, alarm)
				}
			})
		}
	}
}

// A bound that nothing could leave would keep false alarms rare as well.
func TestShareBoundsAreNarrow(t *testing.T) {
	low, high := shareBounds(1000, 0.5)
	if low < 410 || high > 590 {
		t.Errorf("%d to %d", low, high)
	}
	for _, wrong := range []float64{0, 0.25, 0.75, 1} {
		if found := 1 - outside(1000, wrong, low, high); found > falseAlarm {
			t.Errorf("a true share of %g passes for one half with probability %g", wrong, found)
		}
	}
}

// outside is the probability that a binomial number lies outside low to high.
func outside(n int, p float64, low, high int) float64 {
	switch p {
	case 0, 1:
		if sure := int(float64(n) * p); low <= sure && sure <= high {
			return 0
		}
		return 1
	}
	all, _ := math.Lgamma(float64(n + 1))
	sum := 0.0
	for k := range n + 1 {
		if low <= k && k <= high {
			continue
		}
		taken, _ := math.Lgamma(float64(k + 1))
		left, _ := math.Lgamma(float64(n - k + 1))
		sum += math.Exp(all - taken - left + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	}
	return sum
}
