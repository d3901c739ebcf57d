package timing

import "time"

// Moment bounds the wait for a change that is known to have landed but whose effect no proxy reports: Quiet, longer
// on a slow machine.
func Moment() time.Duration { return stretched(Quiet) }
