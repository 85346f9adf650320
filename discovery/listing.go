package discovery

import (
	"maps"
	"slices"
)

// listing is what one look at a service brought: all its instances, and what
// had to be skipped.
type listing struct {
	instances []*Instance
	refused   int
	refusals  []Refusal // the first of them
}

// refuse takes note of a record that is skipped.
func (l *listing) refuse(key string, reason error) {
	l.refused++
	if len(l.refusals) < MaxRefusals {
		l.refusals = append(l.refusals, Refusal{Key: key, Reason: reason.Error()})
	}
}

// refuseAll takes note of what other had to skip.
func (l *listing) refuseAll(other listing) {
	l.refused += other.refused
	l.refusals = append(l.refusals, other.refusals...)
	l.refusals = l.refusals[:min(len(l.refusals), MaxRefusals)]
}

// adopt sorts the instances and gives those that have not changed since the
// last listing the pointers that they had there. It reports whether anything
// is different at all.
func (l *listing) adopt(last listing) (changed bool) {
	Sort(l.instances)
	changed = len(l.instances) != len(last.instances) || l.refused != last.refused || !slices.Equal(l.refusals, last.refusals)
	n := 0
	for k, i := range l.instances {
		for n < len(last.instances) && last.instances[n].ID < i.ID {
			n++
		}
		if n < len(last.instances) && equal(last.instances[n], i) {
			l.instances[k] = last.instances[n]
		} else {
			changed = true
		}
	}
	return changed
}

// equal compares all there is to an instance.
func equal(a, b *Instance) bool {
	return a == b || a.ID == b.ID &&
		a.Service == b.Service &&
		a.Addr == b.Addr &&
		slices.Equal(a.Endpoints, b.Endpoints) &&
		a.Weight == b.Weight &&
		a.Region == b.Region &&
		a.Zone == b.Zone &&
		a.Version == b.Version &&
		a.Draining == b.Draining &&
		a.BootID == b.BootID &&
		a.StartedAt.Equal(b.StartedAt) &&
		maps.Equal(a.Meta, b.Meta)
}
