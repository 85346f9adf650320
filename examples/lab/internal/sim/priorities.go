package sim

import (
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Shares are how much of the traffic is of each priority, by their index. The zero
// value: nothing is said of any call, so that all are of the default.
type Shares [ratelimit.NumberOfPriorities]float64

// priority draws that of a call.
func (w *world) priority() ratelimit.Priority {
	s := &w.plan.Traffic.Shares
	if *s == (Shares{}) {
		return ratelimit.Default
	}
	at, left := 0, w.ranks.Float64()*(s[0]+s[1]+s[2])
	for at < len(s)-1 && left >= s[at] {
		left -= s[at]
		at++
	}
	return ratelimit.Sheddable + ratelimit.Priority(at)
}

func (s *Shares) validate() error {
	for i, share := range s {
		if err := number(fmt.Sprintf("Traffic.Shares[%d]", i), share, 0, 1); err != nil {
			return err
		}
	}
	return nil
}

// Ended is how calls ended.
type Ended struct {
	Well     int64
	Withheld int64 // their client did not send them
	Refused  int64 // by servers, which had too much to do
	Failed   int64 // otherwise
}

// All is their sum.
func (e *Ended) All() int64 { return e.Well + e.Withheld + e.Refused + e.Failed }

func (e *Ended) add(other Ended) {
	e.Well += other.Well
	e.Withheld += other.Withheld
	e.Refused += other.Refused
	e.Failed += other.Failed
}

// Ranked is what came of the calls of one priority.
type Ranked struct {
	Calls   int64
	Latency Histogram // of those that went well
	Ended
}

// end is how a call ends for its client.
type end uint8

const (
	well end = iota
	withheld
	turnedAway
	inVain
)

func (e *Ended) count(how end) {
	switch how {
	case well:
		e.Well++
	case withheld:
		e.Withheld++
	case turnedAway:
		e.Refused++
	case inVain:
		e.Failed++
	}
}

// Between is how calls of a priority ended from a moment to another, both from the
// beginning. It is as exact as moments are long.
func (r *Result) Between(p ratelimit.Priority, from, until time.Duration) (sum Ended) {
	for i := range r.Course {
		if r.within(i, from, until) {
			sum.add(r.Course[i].By[p.Index()])
		}
	}
	return sum
}

// within reports whether most of a moment is between two times.
func (r *Result) within(moment int, from, until time.Duration) bool {
	middle := time.Duration(moment)*r.Period + r.Period/2
	return middle >= from && middle < until
}

// Goodput is the calls that went well from a moment to another, of those that the
// instances could have done.
func (r *Result) Goodput(from, until time.Duration) float64 {
	done, moments := int64(0), 0
	for i := range r.Course {
		if r.within(i, from, until) {
			done += r.Course[i].Well
			moments++
		}
	}
	if moments == 0 || r.Capacity == 0 {
		return 0
	}
	return float64(done) / (r.Capacity * float64(moments) * r.Period.Seconds())
}

// P99 is the median of those of the moments between two times in which any call went
// well.
func (r *Result) P99(from, until time.Duration) time.Duration {
	var some []time.Duration
	for i := range r.Course {
		if r.Course[i].Well > 0 && r.within(i, from, until) {
			some = append(some, r.Course[i].P99)
		}
	}
	return median(some)
}
