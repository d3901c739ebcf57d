// Package match judges what specs saw. Matchers are pure: they look at a value and say, either
// way, what it was.
package match

import (
	"fmt"

	"github.com/onsi/gomega/types"
)

// judgement is a matcher of one type of values.
type judgement[T any] struct {
	// want completes the sentence "Expected X to ...".
	want string
	// judge gives its verdict and the value in readable form. An error is for values on which
	// neither verdict makes sense: it fails a negated expectation too.
	judge func(T) (ok bool, seen string, err error)
	seen  string
}

func judging[T any](want string, judge func(T) (bool, string, error)) types.GomegaMatcher {
	return &judgement[T]{want: want, judge: judge}
}

// Match implements gomega's matcher.
func (j *judgement[T]) Match(actual any) (bool, error) {
	value, ok := actual.(T)
	if !ok {
		return false, fmt.Errorf("to %s is for a %T, not a %T", j.want, *new(T), actual)
	}
	verdict, seen, err := j.judge(value)
	j.seen = seen
	return verdict, err
}

// FailureMessage implements gomega's matcher.
func (j *judgement[T]) FailureMessage(any) string { return j.message("to") }

// NegatedFailureMessage implements gomega's matcher.
func (j *judgement[T]) NegatedFailureMessage(any) string { return j.message("not to") }

func (j *judgement[T]) message(to string) string {
	return fmt.Sprintf("Expected %s %s, last seen:\n    %s", to, j.want, j.seen)
}
