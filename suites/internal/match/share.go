package match

import (
	"fmt"
	"math"

	"github.com/onsi/gomega/types"
)

// falseAlarm bounds how likely BeShareOf judges wrongly that what happened by chance was not by chance.
const falseAlarm = 1e-6

// BeShareOf holds for a number of requests if it is what chance makes of n of which each is taken by
// itself with probability p: the number X has a binomial distribution, and by Hoeffding's inequality
//
//	P(|X - np| >= t) <= 2 exp(-2t²/n)
//
// so that with t = sqrt(n ln(2/α) / 2) and α = 1e-6 a number farther from np than t is seen less than once
// in a million times. Of 1000 at one half that is 415 to 585. Where p is 0 or 1 nothing is left to
// chance, and only none or all will do.
func BeShareOf(n int, p float64) types.GomegaMatcher {
	low, high := shareBounds(n, p)
	want := fmt.Sprintf("be a share of %g of %d requests, %d to %d", p, n, low, high)
	switch p {
	case 0:
		want = fmt.Sprintf("be none of %d requests", n)
	case 1:
		want = fmt.Sprintf("be all of %d requests", n)
	}
	return judging(want, func(seen int) (bool, string, error) {
		if n <= 0 || math.IsNaN(p) || p < 0 || p > 1 {
			return false, "", fmt.Errorf("no number is a share of %g of %d requests", p, n)
		}
		return low <= seen && seen <= high, fmt.Sprintf("%d of %d", seen, n), nil
	})
}

// shareBounds are the least and the greatest number that pass for a share of p of n.
func shareBounds(n int, p float64) (low, high int) {
	mean := float64(n) * p
	if p == 0 || p == 1 {
		return int(mean), int(mean)
	}
	reach := math.Sqrt(float64(n) * math.Log(2/falseAlarm) / 2)
	return max(0, int(math.Ceil(mean-reach))), min(n, int(math.Floor(mean+reach)))
}
