package sim

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
)

// Subject is who decides: a policy of the library, or an oracle in the place of
// all of it.
type Subject struct {
	Policy balancer.Policy
	Oracle Oracle
	// Reports makes servers say in each answer what load they have.
	Reports bool
}

// world is a plan that is played.
type world struct {
	plan    Plan
	subject Subject
	seed    uint64
	keyed   bool // calls have keys
	reports bool
	// detailed says that calls have an event where they arrive and leave, since
	// somebody has to know what a server has then.
	detailed bool

	now, counted, over int64 // over is when no more calls come
	queue              queue
	acts               []act
	outstanding        int
	coming             int // instances that the scaler has ordered

	servers       []*server
	clients       []client // and after them the servers that call others
	shared        *retry.Budget
	calls         []call
	attempts      []attempt
	spareCalls    []uint32 // numbers of those that are over
	spareAttempts []int32
	said          []report // by attempt
	keys          []string
	zones         []string
	lists         []discovery.Snapshot // the last, by hop
	version       int                  // of them

	// Everything that is by chance has a source of its own, so that a policy that
	// asks for more of one thing changes nothing else.
	arrivals, comers, works, picks, fates, nature, errands, ranks, sheds *rand.Rand

	result    Result
	course    course
	uncounted Tally // of calls that do not count
}

// beginning is when a run begins: any moment but zero would do.
const beginning = int64(time.Hour)

// Run plays a plan to its end. The error says what is wrong with the plan, or with
// the policy.
func Run(plan Plan, subject Subject, seed uint64) (*Result, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	w, err := newWorld(plan.withDefaults(), subject, seed)
	if err != nil {
		return nil, err
	}
	w.play()
	w.conclude()
	return &w.result, nil
}

func newWorld(plan Plan, subject Subject, seed uint64) (*world, error) {
	w := &world{plan: plan, subject: subject, seed: seed, reports: subject.Reports, now: beginning}
	w.counted, w.over = beginning+int64(plan.Warmup), beginning+int64(plan.Length)
	for i, source := range []**rand.Rand{&w.arrivals, &w.comers, &w.works, &w.picks, &w.fates, &w.nature, &w.errands, &w.ranks, &w.sheds} {
		*source = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	if k, ok := subject.Policy.(interface{ Keyed() bool }); ok && k.Keyed() {
		w.keyed = true
		w.keys = keys(plan.Keys)
	} else {
		w.keys = []string{""}
	}
	counting, ok := subject.Oracle.(interface{ Counts() bool })
	w.lists = make([]discovery.Snapshot, plan.hops())
	w.detailed = subject.Reports || ok && counting.Counts() || plan.Network.Near != plan.Network.Far || plan.Heeds || len(w.lists) > 1
	if subject.Oracle != nil && (plan.Heeds || len(w.lists) > 1) {
		return nil, errors.New("an oracle knows no servers that heed their callers, and no hops: allowed are policies")
	}
	if subject.Oracle != nil && plan.Limits.Instance != nil {
		return nil, errors.New("an oracle knows no limits of clients: allowed are policies")
	}
	for _, c := range plan.Fleet {
		w.detailed = w.detailed || c.Limit > 0 || c.Admission.isAny()
	}
	w.result = newResult(&plan)
	w.course = newCourse(w.result.Period)
	w.timetable()
	w.publish()
	if plan.Shared != nil {
		var err error
		if w.shared, err = retry.NewBudget(*plan.Shared); err != nil {
			return nil, err
		}
	}
	for i := range plan.Clients {
		zone := ""
		if len(plan.Zones) > 0 {
			zone = plan.Zones[i%len(plan.Zones)]
		}
		c, err := w.newClient(i, 0, zone)
		if err != nil {
			return nil, err
		}
		w.clients = append(w.clients, c)
	}
	if err := w.callers(); err != nil {
		return nil, err
	}
	for i := range w.clients {
		c := &w.clients[i]
		w.hear(c)
		if c.pool != nil {
			w.queue.push(event{at: w.now + int64(w.nature.Uint64N(uint64(perSecond))), who: uint32(i), kind: reviews})
		}
		if c.hop > 0 {
			continue
		}
		for range plan.Traffic.Closed.Callers {
			think := later(w.now, w.arrivals.ExpFloat64()*float64(plan.Traffic.Closed.Think))
			w.queue.push(event{at: think + 1, who: uint32(i), kind: begins})
		}
	}
	return w, nil
}

// patience is how long calls that came in time may take in the end.
const patience = int64(10 * time.Minute)

// play goes from event to event until no more calls come and all are answered.
func (w *world) play() {
	traffic := &w.plan.Traffic
	gap := forever // between calls at the most load there is
	if most := traffic.most() * w.plan.rate(); traffic.Closed.Callers == 0 && most > 0 {
		gap = int64(float64(perSecond) / most)
	}
	steady, most := traffic.steady(), traffic.most()
	next := w.next(w.now, gap)
	for {
		if len(w.queue) == 0 || next <= w.queue[0].at {
			if next >= w.over {
				next = forever
				if len(w.queue) == 0 || w.outstanding == 0 {
					return
				}
			} else {
				w.now = next
				next = w.next(next, gap)
				client := uint32(0)
				if w.plan.Clients > 1 {
					client = uint32(w.comers.Uint64N(uint64(w.plan.Clients)))
				}
				if steady || w.comers.Float64()*most < traffic.load(time.Duration(w.now-beginning)) {
					w.begin(client)
				}
				continue
			}
		}
		e := w.queue.pop()
		if e.at >= w.over && (w.outstanding == 0 || e.at > w.over+patience) {
			return
		}
		w.now = e.at
		w.happen(e)
	}
}

// next returns when the next call comes after a moment.
func (w *world) next(at, gap int64) int64 {
	if gap == forever {
		return forever
	}
	return later(at, w.arrivals.ExpFloat64()*float64(gap))
}

func (w *world) happen(e event) {
	switch e.kind {
	case begins:
		if w.now < w.over {
			w.begin(e.who)
		}
		return
	case reviews:
		c := &w.clients[e.who]
		w.review(c)
		if e.gen == 0 {
			w.queue.push(event{at: w.now + perSecond, who: e.who, kind: reviews})
		} else {
			c.due = false
		}
		return
	case hears:
		w.hear(&w.clients[e.who])
		return
	case changes:
		w.act(w.acts[e.who])
		return
	case scales:
		w.scale()
		return
	case again:
		w.calls[e.who].records--
		w.try(e.who)
		return
	case joins:
		if w.attempts[e.who].gen == e.gen {
			w.join(int32(e.who))
		}
		return
	}
	number := int32(e.who)
	a := &w.attempts[number]
	if a.gen != e.gen {
		return
	}
	a.events--
	switch e.kind {
	case arrives:
		w.arrive(number, w.now)
	case leaves:
		w.leave(number)
	case answered:
		w.answer(number)
	case quits:
		w.quit(number)
	}
	if w.attempts[number].gen == e.gen {
		w.drop(number)
	}
}

// delay is how long a message is on its way between an attempt's client and server.
func (w *world) delay(a *attempt) int64 {
	from, to := w.clients[w.calls[a.call].client].zone, w.servers[a.server].zone
	if from >= 0 && to >= 0 && from != to {
		return int64(w.plan.Network.Far)
	}
	return int64(w.plan.Network.Near)
}
