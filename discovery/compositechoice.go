package discovery

import (
	"errors"
	"slices"
	"time"
)

// choice is what a composite makes of what its members said.
type choice struct {
	snapshot   Snapshot
	err        error
	used       int      // the member whose list it is; -1: that of all
	passedOver []string // why each member before that one is not used
}

// choose applies a rule. It is not ok as long as there is nothing to tell.
func choose(rule Rule, service string, all []said, impatient bool, now time.Time) (c choice, ok bool) {
	if rule == Prefer {
		return prefer(service, all, impatient, now)
	}
	return merge(service, all, impatient, now)
}

func prefer(service string, all []said, impatient bool, now time.Time) (c choice, ok bool) {
	for n, m := range all {
		if !m.heard && !impatient {
			return choice{}, false
		}
		if len(m.snapshot.Instances) == 0 {
			c.passedOver = append(c.passedOver, m.name+": "+m.reason())
			continue
		}
		c.snapshot, c.err, c.used = m.snapshot, m.err, n
		c.snapshot.leaveOut(all[:n+1])
		return c, true
	}
	return merge(service, all, impatient, now)
}

func merge(service string, all []said, impatient bool, now time.Time) (c choice, ok bool) {
	silent, live, cold, errs := 0, 0, 0, []error(nil)
	for _, m := range all {
		switch {
		case !m.heard:
			silent++
			errs = append(errs, named(m.name, errSilent))
		case m.snapshot.State == Live:
			live++
		}
		if m.snapshot.State == Cold {
			cold++
		}
		errs = append(errs, m.err)
	}
	if silent == len(all) || silent > 0 && !impatient {
		return choice{}, false
	}
	s := Snapshot{Service: service, State: Stale, Instances: union(all)}
	switch len(all) {
	case live:
		s.State = Live
	case cold:
		s.State = Cold
	}
	s.AsOf = oldest(all, s.State, now)
	s.leaveOut(all)
	return choice{snapshot: s, err: errors.Join(errs...), used: -1}, true
}

var errSilent = errors.New("it has said nothing yet")

// reason says why a member is not used.
func (m said) reason() string {
	switch {
	case m.err != nil:
		return m.err.Error()
	case !m.heard:
		return errSilent.Error()
	default:
		return "no instances"
	}
}

// oldest is when all members were known to say what they said. A live list is
// said until it is not.
func oldest(all []said, state State, now time.Time) time.Time {
	var oldest time.Time
	for _, m := range all {
		at := m.snapshot.AsOf
		switch {
		case m.snapshot.State == Cold:
			continue
		case m.snapshot.State == Live && state == Stale:
			at = now
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// leaveOut adds up what the members skipped as malformed, records and metadata.
func (s *Snapshot) leaveOut(all []said) {
	s.Refused, s.Refusals, s.Dropped, s.Drops = 0, nil, 0, nil
	for _, m := range all {
		s.Refused += m.snapshot.Refused
		s.Dropped += m.snapshot.Dropped
		s.Refusals = m.examples(s.Refusals, m.snapshot.Refusals)
		s.Drops = m.examples(s.Drops, m.snapshot.Drops)
	}
}

// examples adds those of a member to others, as long as they are few.
func (m said) examples(others, own []Refusal) []Refusal {
	for _, r := range own {
		if len(others) < MaxRefusals {
			others = append(others, Refusal{Key: m.name + ": " + r.Key, Reason: r.Reason})
		}
	}
	return others
}

// succeed makes c the choice after before: what did not change is the same, and
// the revision grows with each change of the list, whatever those of the
// members do.
func (c *choice) succeed(before choice) {
	c.snapshot.Instances = keep(before.snapshot.Instances, c.snapshot.Instances)
	c.snapshot.Revision = before.snapshot.Revision
	if before.snapshot.State == Cold && c.snapshot.State != Cold || !sameList(before.snapshot, c.snapshot) {
		c.snapshot.Revision++
	}
}

// same says whether c is no news after before. That a list was confirmed anew
// is news.
func (c choice) same(before choice) bool {
	return c.snapshot.State == before.snapshot.State && c.snapshot.AsOf.Equal(before.snapshot.AsOf) &&
		text(c.err) == text(before.err) && sameList(before.snapshot, c.snapshot)
}

func sameList(a, b Snapshot) bool {
	return slices.Equal(a.Instances, b.Instances) && a.Refused == b.Refused && slices.Equal(a.Refusals, b.Refusals) &&
		a.Dropped == b.Dropped && slices.Equal(a.Drops, b.Drops)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
