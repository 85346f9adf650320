package sim

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Moment is what came of calls in a part of the time, by when they ended.
type Moment struct {
	Began  int64 // those that began in it
	Well   int64
	Failed int64 // however
	// By is how they ended, by the index of their priority.
	By [ratelimit.NumberOfPriorities]Ended
	// Attempts are those that came to the last hop of all.
	Attempts int64
	P99      time.Duration // of those that went well
}

// course takes down moment after moment.
type course struct {
	period, until int64 // until when the moment is that is taken down
	at            int   // its number
	// Its calls, and those of them that do not count in the result.
	latency, early Histogram
}

func newCourse(period time.Duration) course {
	return course{period: int64(period), until: beginning + int64(period), latency: newHistogram(), early: newHistogram()}
}

// moment is the one of now.
func (w *world) moment() *Moment {
	for w.now >= w.course.until {
		w.turnPage()
	}
	return &w.result.Course[min(w.course.at, periods)]
}

// turnPage ends the moment that is taken down. All that come after the last are
// one.
func (w *world) turnPage() {
	c := &w.course
	w.result.Latency.merge(&c.latency)
	c.early.merge(&c.latency)
	w.result.Course[min(c.at, periods)].P99 = c.early.Quantile(0.99)
	c.latency.reset()
	c.early.reset()
	c.at++
	if c.until += c.period; c.at >= periods {
		c.until = forever
	}
}

// ended takes down how a call ended.
func (w *world) ended(c *call, how end) {
	m := w.moment()
	rank := &w.result.Ranks[c.priority.Index()]
	m.By[c.priority.Index()].count(how)
	if c.counts {
		rank.count(how)
	}
	if how != well {
		m.Failed++
		return
	}
	m.Well++
	if c.counts {
		rank.Latency.add(time.Duration(w.now - c.begun))
		w.course.latency.add(time.Duration(w.now - c.begun))
	} else {
		w.course.early.add(time.Duration(w.now - c.begun))
	}
}

// abnormal is how many times the usual p99 is not normal.
const abnormal = 1.5

// Recovered is how long after a trouble everything was as before it: no call fails,
// and the p99 of no moment is above one and a half times the median of those before.
// It is as exact as moments are long. Ok is false where it was not until the end.
func (r *Result) Recovered(from, until time.Duration) (after time.Duration, ok bool) {
	var before []time.Duration
	for i, m := range r.Course {
		if at := time.Duration(i) * r.Period; at >= from/4 && at+r.Period <= from {
			before = append(before, m.P99)
		}
	}
	normal := median(before)
	for i, m := range r.Course {
		end := time.Duration(i+1) * r.Period
		if end <= until || m.Began == 0 && m.Well+m.Failed == 0 {
			continue
		}
		if ok = m.Failed == 0 && m.Well > 0 && float64(m.P99) <= abnormal*float64(normal); !ok {
			after = end - until
		}
	}
	return after, ok
}

func median(some []time.Duration) time.Duration {
	if len(some) == 0 {
		return 0
	}
	slices.Sort(some)
	return some[len(some)/2]
}
