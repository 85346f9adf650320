package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// stretch is a time in which an instance works slowly, or, at 0, not at all.
type stretch struct {
	from, until int64
	slow        float64
}

// stretches draws when spells come over an instance from a moment to another, and
// puts those of several kinds together so that none overlap.
func stretches(bits *rand.Rand, from, until int64, spells ...Spell) []stretch {
	var each [][]stretch
	var bounds []int64
	for _, s := range spells {
		if s.Every == 0 || s.For == 0 {
			continue
		}
		var some []stretch
		for at := from; ; {
			// What is between two is drawn, so that there is always some of it.
			at += 1 + int64(bits.ExpFloat64()*float64(s.Every-s.For))
			end := at + 1 + int64(bits.ExpFloat64()*float64(s.For))
			if at >= until {
				break
			}
			some = append(some, stretch{at, end, s.Slow})
			bounds = append(bounds, at, end)
			at = end
		}
		each = append(each, some)
	}
	slices.Sort(bounds)
	var all []stretch
	for i := 1; i < len(bounds); i++ {
		one := stretch{bounds[i-1], bounds[i], 1}
		for k, some := range each {
			for len(some) > 0 && some[0].until <= one.from {
				some = some[1:]
			}
			if each[k] = some; len(some) > 0 && some[0].from <= one.from {
				one.slow *= some[0].slow
			}
		}
		if one.slow != 1 && one.from < one.until {
			all = append(all, one)
		}
	}
	return all
}

// leaves is the share of its work that an instance does on the average.
func (s Spell) leaves() float64 {
	if s.Every == 0 {
		return 1
	}
	share := float64(s.For) / float64(s.Every)
	if s.Slow == 0 {
		return 1 - share
	}
	return 1 - share + share/s.Slow
}

// forever is later than everything that is simulated.
const forever = int64(1) << 61

// after returns when work is done that begins at a moment, which is never before
// that of the last.
func (s *server) after(start int64, work float64) int64 {
	at, left := start, work
	for len(s.stretches) > 0 && s.stretches[0].until <= start {
		s.stretches = s.stretches[1:]
	}
	for _, g := range s.stretches {
		if ahead := float64(g.from - at); ahead >= left {
			break
		} else if ahead > 0 {
			left -= ahead
			at = g.from
		}
		if g.slow > 0 {
			does := float64(g.until-at) / g.slow
			if does >= left {
				return later(at, left*g.slow)
			}
			left -= does
		}
		at = g.until
	}
	return later(at, left)
}

// later adds a time that may be too long to be added.
func later(at int64, by float64) int64 {
	if !(by < float64(forever-at)) {
		return forever
	}
	return at + int64(max(0, by))
}

const perSecond = int64(time.Second)
