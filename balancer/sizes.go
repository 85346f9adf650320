package balancer

import (
	"slices"
	"time"
)

// sizes remembers how long a list was, as far as that may still be the most
// within a window.
type sizes struct {
	current int
	past    []size // falling, the oldest first
}

type size struct {
	n     int
	until time.Duration // when there was another
}

// note takes a new size and returns the largest within the window before now.
func (s *sizes) note(n int, now, window time.Duration) int {
	for len(s.past) > 0 && s.past[len(s.past)-1].n <= s.current {
		s.past = s.past[:len(s.past)-1]
	}
	s.past = append(s.past, size{s.current, now})
	within := slices.IndexFunc(s.past, func(p size) bool { return now-p.until <= window })
	s.past = slices.Delete(s.past, 0, within)
	s.current = n
	return max(n, s.past[0].n)
}
