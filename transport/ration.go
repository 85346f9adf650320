package transport

import "time"

// ration bounds what is logged of many instances: that a whole service fails is
// said in a few lines, not in ten thousand.
type ration struct {
	since  time.Duration // when the first of the lines was told
	told   int
	untold int
}

const (
	rationLines = 10
	rationTime  = 10 * time.Second
)

// allow reports whether there is a line left; if not, it is counted.
func (r *ration) allow(now time.Duration) bool {
	if r.told == 0 {
		r.since = now
	}
	if r.told == rationLines {
		r.untold++
		return false
	}
	r.told++
	return true
}

// rest returns how many lines there were none left for, as soon as there are
// again; until then, and if there were not any, 0. It is asked first.
func (r *ration) rest(now time.Duration) (untold int) {
	if now-r.since < rationTime {
		return 0
	}
	untold = r.untold
	*r = ration{}
	return untold
}
