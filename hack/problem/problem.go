// Package problem holds the errors a user can act on, and the exit codes they stand for.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Exit codes of every command of the project.
const (
	// ExitFailedSpecs says that the product, or the list of its known defects, is wrong.
	ExitFailedSpecs = 1
	// ExitUsage says that the command line, or a data file named on it, is wrong.
	ExitUsage = 2
	// ExitEnvironment says that the machine, the engine, a package source or the cluster is at fault, or that the
	// machine left specs undecided.
	ExitEnvironment = 3
)

// Error is one clear line: what is wrong, where, and what to do about it.
type Error struct {
	Code  int
	What  string
	Where string
	Do    string
	Cause error
	// Undecided marks a run that came to its end, but not to a verdict on every spec.
	Undecided bool
}

// Error renders the single line; line breaks of a cause are folded into it.
func (e *Error) Error() string {
	var line strings.Builder
	line.WriteString(e.What)
	if e.Where != "" {
		fmt.Fprintf(&line, " (%s)", e.Where)
	}
	if e.Cause != nil {
		fmt.Fprintf(&line, ": %v", e.Cause)
	}
	if e.Do != "" {
		fmt.Fprintf(&line, "; %s", e.Do)
	}
	return strings.Join(strings.Fields(line.String()), " ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Usage is an error of the command line or of the data it names: exit code 2.
func Usage(what, where, do string) error {
	return &Error{Code: ExitUsage, What: what, Where: where, Do: do}
}

// Environment is an error of the machine, engine, package source or cluster: exit code 3.
// cause may be nil.
func Environment(what, where, do string, cause error) error {
	return &Error{Code: ExitEnvironment, What: what, Where: where, Do: do, Cause: cause}
}

// Undecided is the error of a run in which no spec failed and the machine left some undecided: exit code 3.
func Undecided(what, do string) error {
	return &Error{Code: ExitEnvironment, What: what, Do: do, Undecided: true}
}

// IsUndecided reports whether the first Error in err's chain is one of Undecided.
func IsUndecided(err error) bool {
	var known *Error
	return errors.As(err, &known) && known.Undecided
}

// FailedSpecs says that the run ended and the verdict is no: exit code 1.
func FailedSpecs(what string) error {
	return &Error{Code: ExitFailedSpecs, What: what}
}

// ExitCode maps an error to the process's exit code: nil is 0, an Error anywhere in
// the chain its own code, anything else a fault of the environment.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var known *Error
	if errors.As(err, &known) {
		return known.Code
	}
	return ExitEnvironment
}
