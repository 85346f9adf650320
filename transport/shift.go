package transport

import "time"

// The steps by which calls move to gateways and back.
var shiftSteps = [...]float64{0, 0.1, 0.25, 0.5, 1}

const (
	shiftStep = 2 * time.Second  // from one step to the next
	shiftHold = 10 * time.Second // before the first step back, once there is no reason any more
)

// shift is how a share of calls moves from one value to another. Where it is at a
// moment follows from the time alone, so that nothing runs for it. It is immutable;
// the zero value is a share of none.
type shift struct {
	service  string // to which calls go
	from, to float64
	came     time.Duration // when it became from
	since    time.Duration // when the first step is made
	reason   string        // why it goes there; "": there is none
}

// at returns the share at a moment, and since when it is that.
func (s *shift) at(now time.Duration) (share float64, came time.Duration) {
	share, came = s.from, s.came
	for next := s.since; share != s.to && now >= next; next += shiftStep {
		share, came = s.step(share), next
	}
	return share, came
}

// step returns the share that follows one. Those on the way up are parts of where it
// goes, those on the way down of where it came from.
func (s *shift) step(share float64) float64 {
	if s.to > s.from {
		for _, step := range shiftSteps {
			if next := step * s.to; next > share {
				return next
			}
		}
		return s.to
	}
	for i := len(shiftSteps) - 1; i >= 0; i-- {
		if next := shiftSteps[i] * s.from; next < share {
			return max(next, s.to)
		}
	}
	return s.to
}

// aim returns how the share goes to another value from where it is, the same if that
// is where it goes for that reason. No step comes sooner after another for it: a
// reason that comes and goes moves nothing faster. Calls that come back do so from
// where they are.
func (s *shift) aim(service string, to float64, reason string, now time.Duration) *shift {
	if to == 0 {
		service = s.service
	}
	if s.service == service && s.to == to && s.reason == reason {
		return s
	}
	share, came := s.at(now)
	next := &shift{service: service, from: share, to: to, came: came, since: now, reason: reason}
	if s.service != "" { // it has moved before
		next.since = max(now, came+shiftStep)
	}
	if to < share && reason == "" {
		next.since = max(next.since, now+shiftHold)
	}
	return next
}
