package match

import (
	"fmt"
	"math"

	"github.com/onsi/gomega/types"
)

// falseAlarm bounds how likely BeShareOf judges wrongly that what happened by chance was not by chance.
const falseAlarm = 1e-6

// BeShareOf holds for a number of requests if it is what chance makes of n of which each is taken by
// itself with probability p: the number X has a binomial distribution, and by the Chernoff bound in
// Hoeffding's form ("Probability inequalities for sums of bounded random variables", 1963, theorem 1)
//
//	P(X >= k) <= exp(-n D(k/n, p)) for k >= np, and alike P(X <= k) for k <= np,
//	D(q, p) = q ln(q/p) + (1-q) ln((1-q)/(1-p))
//
// so that a k with n D(k/n, p) > ln(2/α) is seen, on either side together, less than once in a million times
// with α = 1e-6. Of 1000 at one half that leaves 416 to 584, of 200 at one eighth 5 to 53. Where p is 0 or 1
// nothing is left to chance, and only none or all will do.
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
	likely := func(k int) bool { return float64(n)*divergence(float64(k)/float64(n), p) <= math.Log(2/falseAlarm) }
	low, high = int(math.Floor(mean)), int(math.Ceil(mean))
	for low > 0 && likely(low-1) {
		low--
	}
	for high < n && likely(high+1) {
		high++
	}
	return low, high
}

// divergence is D(q, p), for 0 < p < 1.
func divergence(q, p float64) float64 {
	term := func(a, b float64) float64 {
		if a == 0 {
			return 0
		}
		return a * math.Log(a/b)
	}
	return term(q, p) + term(1-q, 1-p)
}
