package main

import (
	"slices"
	"time"
)

// figures are what came of a run.
type figures struct {
	Calls int `json:"calls"` // in the flood
	// Goodput is how many of the calls that were made in the flood were answered,
	// in terms of what the servers can do.
	Goodput float64 `json:"goodput"`
	// Answered is the share of the calls of each kind that was answered in the flood.
	Critical  float64 `json:"criticalAnswered"`
	Default   float64 `json:"defaultAnswered"`
	Sheddable float64 `json:"sheddableAnswered"`

	Withheld int `json:"withheld"` // calls of the flood that clients did not send
	Refused  int `json:"refused"`  // by servers
	Late     int `json:"late"`
	Broken   int `json:"broken"`
	// What a call costs that the client does not send.
	WithheldP50 float64 `json:"withheldP50_us"`
	WithheldP99 float64 `json:"withheldP99_us"`

	Calm      float64  `json:"calmAnswered"` // before the flood, of all calls
	CalmP99   float64  `json:"calmP99_ms"`
	FloodP99  float64  `json:"floodP99_ms"` // of answers
	Recovered *float64 `json:"recovered_s"` // after the flood; null: not until the end
	InHand    int      `json:"mostInHand"`  // of all servers together
	Short     int      `json:"shortAnswers"`
	Pressure  float64  `json:"pressure"` // the highest that was read in the flood
	// Relief is the highest pressure that was read in the last second.
	Relief float64 `json:"relief"`
}

// tally adds up calls.
type tally struct {
	all      int
	ends     [broken + 1]int
	short    int
	answers  []time.Duration
	withheld []time.Duration
	kinds    [len(kinds)]struct {
		all  int
		ends [broken + 1]int
	}
}

// between adds up the calls that began in some time.
func (r *run) between(from, to time.Duration) (t tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.At < from || c.At >= to {
			continue
		}
		t.all++
		t.ends[c.End]++
		t.kinds[c.Kind].all++
		t.kinds[c.Kind].ends[c.End]++
		if c.Short {
			t.short++
		}
		switch c.End {
		case answered:
			t.answers = append(t.answers, c.Took)
		case withheld:
			t.withheld = append(t.withheld, c.Took)
		}
	}
	return t
}

// during is the most of some time.
func (r *run) during(from, to time.Duration) (most moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.moments {
		if m.at >= from && m.at < to {
			most.inHand, most.pressure = max(most.inHand, m.inHand), max(most.pressure, m.pressure)
		}
	}
	return most
}

// share is how many of a kind were answered.
func (t *tally) share(kind int) float64 {
	k := t.kinds[kind]
	return float64(k.ends[answered]) / float64(max(1, k.all))
}

// quantile sorts.
func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}

// step of time in which the end of the trouble is looked for, and how long it has to
// be over.
const (
	look   = 250 * time.Millisecond
	normal = time.Second
)

func (r *run) figures() figures {
	from, to := span(flood)
	t := r.between(from, to)
	f := figures{
		Calls: t.all, Goodput: float64(t.ends[answered]) / (to - from).Seconds() / float64(capacity),
		Critical: t.share(0), Default: t.share(1), Sheddable: t.share(2),
		Withheld: t.ends[withheld], Refused: t.ends[refused], Late: t.ends[late], Broken: t.ends[broken], Short: t.short,
		WithheldP50: microseconds(quantile(t.withheld, 0.5)), WithheldP99: microseconds(quantile(t.withheld, 0.99)),
		FloodP99: milliseconds(quantile(t.answers, 0.99)),
	}
	// The first second of a process belongs to its warming up.
	from, to = span(calm)
	before := r.between(from+time.Second, to)
	calmP99 := quantile(before.answers, 0.99)
	f.Calm, f.CalmP99 = float64(before.ends[answered])/float64(max(1, before.all)), milliseconds(calmP99)
	from, to = span(after)
	for at := from; at+normal <= to; at += look {
		now := r.between(at, at+normal)
		if 100*now.ends[answered] >= 99*now.all && now.all > 0 && quantile(now.answers, 0.99) <= 3*calmP99 {
			s := (at - from).Seconds()
			f.Recovered = &s
			break
		}
	}
	most := r.during(0, from)
	f.InHand, f.Pressure, f.Relief = most.inHand, most.pressure, r.during(to-time.Second, to).pressure
	return f
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
