package sim

import (
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Result is what came of a plan. Unless said otherwise it is of the calls that
// began after the warm-up.
type Result struct {
	Latency Histogram // of the calls that went well, with all their attempts
	Calls   int64
	Errors  int64 // calls that failed in the end
	Played  int64 // calls, with those of the warm-up
	Tally         // of these calls
	// Hops are the tallies of all services that call each other, for these calls. The
	// first is that of the service which clients call, as above.
	Hops []Tally
	// Ranks are these calls by the index of their priority.
	Ranks [ratelimit.NumberOfPriorities]Ranked
	// Capacity is how many calls the instances that are there at the beginning can do
	// in a second.
	Capacity float64

	Instances []Instance
	// Connections are the pairs of a client and an instance that it may call, at the
	// end.
	Connections int
	// Shares are the attempts that each class got, from the beginning, by periods.
	Shares  [][]int64 // by period, then class
	Period  time.Duration
	Course  []Moment // how it went on, from the beginning, by periods
	Classes []string
}

// Instance is what one got.
type Instance struct {
	Class    string
	Bad      bool
	Attempts int64
	// Present is how long it was on the list, of the time that counts, and Whole
	// says that it was there from its beginning to its end.
	Present time.Duration
	Whole   bool
}

// periods are how many parts the time is cut into for Shares.
const periods = 60

func newResult(p *Plan) Result {
	r := Result{Hops: make([]Tally, p.hops()), Latency: newHistogram(), Period: max(1, (p.Length+periods-1)/periods)}
	r.Capacity = p.rate()
	for i := range r.Ranks {
		r.Ranks[i].Latency = newHistogram()
	}
	r.Course = make([]Moment, periods+1)
	for range periods {
		r.Shares = append(r.Shares, make([]int64, len(p.Fleet)))
	}
	for _, c := range p.Fleet {
		r.Classes = append(r.Classes, c.Name)
	}
	return r
}

// note counts an attempt.
func (w *world) note(class int) {
	if m := w.moment(); w.plan.Fleet[class].Hop == len(w.lists)-1 {
		m.Attempts++
	}
	if w.course.at < periods {
		w.result.Shares[w.course.at][class]++
	}
}

// conclude adds up what the servers and clients know.
func (w *world) conclude() {
	w.turnPage()
	w.result.Errors = w.result.Calls - w.result.Latency.Count() // also those that never ended
	w.unbegun()
	w.result.Tally = w.result.Hops[0]
	w.result.Course = w.result.Course[:periods]
	there := 0
	for _, s := range w.servers {
		c := &w.plan.Fleet[s.class]
		from, until := max(s.from, w.counted), min(s.until, w.over)
		w.result.Instances = append(w.result.Instances, Instance{
			Class: c.Name, Bad: c.Bad, Attempts: s.attempts, Present: time.Duration(max(0, until-from)), Whole: s.from <= w.counted && s.until >= w.over,
		})
		if s.stage == listed {
			there++
		}
	}
	for i := range w.clients {
		switch c := &w.clients[i]; {
		case w.subject.Oracle != nil:
			w.result.Connections += there
		case c.choice != nil:
			w.result.Connections += len(c.choice.Called())
		}
	}
}

// unbegun counts what no server has begun at the end.
func (w *world) unbegun() {
	for i := range w.attempts {
		if a := &w.attempts[i]; (a.live || a.events > 0) && !a.begins {
			w.tally(&w.calls[a.call]).Unbegun++
		}
	}
}

// MaxOverMean is what the instance with the most calls got, of the mean, of those
// that were there all the time; 0 if there are none. Where fewer than two were, it
// is of all, by the time that they were there.
func (r *Result) MaxOverMean() float64 {
	whole := 0
	for _, i := range r.Instances {
		if i.Whole {
			whole++
		}
	}
	most, sum, n := 0.0, 0.0, 0.0
	for _, i := range r.Instances {
		if i.Whole || whole < 2 && i.Present >= r.Period {
			rate := float64(i.Attempts) / i.Present.Seconds()
			most, sum, n = max(most, rate), sum+rate, n+1
		}
	}
	if sum == 0 {
		return 0
	}
	return most * n / sum
}

// BadShare is what the bad instances got, of a fair share: of as much as their
// part of all instances while they were on the list. Known is false where there
// are none, or no calls.
func (r *Result) BadShare() (share float64, known bool) {
	return r.share(func(i *Instance) bool { return i.Bad })
}

// ClassShare is the same for the instances of a class.
func (r *Result) ClassShare(class string) (share float64, known bool) {
	return r.share(func(i *Instance) bool { return i.Class == class })
}

func (r *Result) share(is func(*Instance) bool) (share float64, known bool) {
	var got, all, fair, time float64
	for k := range r.Instances {
		i := &r.Instances[k]
		all += float64(i.Attempts)
		time += i.Present.Seconds()
		if is(i) {
			got += float64(i.Attempts)
			fair += i.Present.Seconds()
		}
	}
	if all == 0 || fair == 0 {
		return 0, false
	}
	return got / all / (fair / time), true
}

// ErrorShare is the share of the calls that failed, 0 if there were none.
func (r *Result) ErrorShare() float64 { return float64(r.Errors) / float64(max(1, r.Calls)) }

// AttemptsPerCall is 0 if there were no calls.
func (r *Result) AttemptsPerCall() float64 { return float64(r.Attempts) / float64(max(1, r.Calls)) }

// Amplification is how many attempts came to the last hop of all for each call, 0
// if there were no calls. Where there is one hop only it is AttemptsPerCall.
func (r *Result) Amplification() float64 {
	return float64(r.Hops[len(r.Hops)-1].Attempts) / float64(max(1, r.Calls))
}

// ExecutionsPerCall is 0 if there were no calls.
func (r *Result) ExecutionsPerCall() float64 {
	return float64(r.Executions) / float64(max(1, r.Calls))
}
