// Package clock is the one place where the system clock is read for policy decisions.
package clock

import "time"

// Or returns now, or the system clock when now is nil.
func Or(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
