package ratelimit_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// fleet is clients that share a limit and hear of each other late: whoever looks
// sees what another published 1 to 3 s before.
type fleet struct {
	config  ratelimit.RateConfig
	bits    *rand.Rand
	clients []*fleetClient
	now     time.Duration
	deaf    bool // nobody hears anything any more
}

type fleetClient struct {
	quota     *ratelimit.Quota
	demand    float64 // calls per second
	due       float64 // calls
	phase     time.Duration
	late      []time.Duration // by whom it looks at
	published []publication   // the first says nothing of the demand
	gone      time.Duration   // 0: it is there
	heard     []float64
}

type publication struct {
	at     time.Duration
	demand float64
}

const fleetStep = 10 * time.Millisecond

func newFleet(t *testing.T, c ratelimit.RateConfig, n int, seed uint64) *fleet {
	f := &fleet{config: c, bits: rand.New(rand.NewPCG(seed, 8))}
	for range n {
		f.join(t).published[0].at = -time.Hour
	}
	return f
}

// join adds a client, which the registry lists half a second later.
func (f *fleet) join(t *testing.T) *fleetClient {
	t.Helper()
	q, err := ratelimit.NewQuota(f.config)
	if err != nil {
		t.Fatal(err)
	}
	c := &fleetClient{
		quota: q, phase: f.upTo(time.Second).Truncate(fleetStep),
		published: []publication{{f.now + time.Second/2, -1}},
	}
	f.clients = append(f.clients, c)
	for _, c := range f.clients {
		for len(c.late) < len(f.clients) {
			c.late = append(c.late, time.Second+f.upTo(2*time.Second))
		}
	}
	return c
}

func (f *fleet) upTo(d time.Duration) time.Duration {
	return time.Duration(f.bits.Int64N(int64(d)))
}

// listen tells a client what it sees of all.
func (f *fleet) listen(c *fleetClient) {
	mine, demands := -1, []float64{}
	for j, other := range f.clients {
		seen := f.now - c.late[j]
		if other.gone != 0 && seen >= other.gone || seen < other.published[0].at {
			continue
		}
		if other == c {
			mine = len(demands)
		}
		demand := 0.0
		for _, p := range other.published {
			if p.at <= seen {
				demand = p.demand
			}
		}
		demands = append(demands, demand)
	}
	if c.heard == nil || !slices.Equal(c.heard, demands) {
		c.heard = demands
		c.quota.Clients(f.now, mine, demands)
	}
}

// step lets a hundredth of a second pass and returns how many calls were sent.
func (f *fleet) step() (sent float64) {
	f.now += fleetStep
	for _, c := range f.clients {
		if c.gone != 0 {
			continue
		}
		if !f.deaf {
			f.listen(c)
		}
		if (f.now-c.phase)%time.Second == 0 {
			c.quota.Observe(f.now)
			if demand, due := c.quota.Publish(f.now); due {
				c.published = append(c.published, publication{f.now, demand})
			}
		}
		for c.due += c.demand * fleetStep.Seconds(); c.due >= 1; c.due-- {
			if c.quota.Bucket().Allow(f.now, ordinary) {
				sent++
			}
		}
	}
	return sent
}

func (f *fleet) demand() (sum float64) {
	for _, c := range f.clients {
		if c.gone == 0 {
			sum += c.demand
		}
	}
	return sum
}

// unevenly changes what the clients demand, in one of many ways.
func (f *fleet) unevenly() {
	kind, one := f.bits.IntN(5), f.bits.IntN(len(f.clients))
	if kind == 4 {
		f.bits.Shuffle(len(f.clients), func(i, j int) {
			f.clients[i].demand, f.clients[j].demand = f.clients[j].demand, f.clients[i].demand
		})
		return
	}
	for i, c := range f.clients {
		half := f.bits.IntN(2) == 0
		switch {
		case kind == 0:
			c.demand = f.config.Rate * []float64{0, 0.005, 0.02, 0.08, 0.1, 0.2, 1, 3}[f.bits.IntN(8)]
		case kind == 1 && i != one, kind == 2 && half:
			c.demand = f.config.Rate / 100
		case kind == 3:
			c.demand = f.config.Rate * f.bits.Float64() / 4
		default:
			c.demand = 3 * f.config.Rate
		}
	}
}

// run lets time pass up to a moment. It checks that no more calls were sent than a
// bucket of so many times the rate would have let through, beyond the burst, and,
// from settled on, that in every second as many were sent as could be.
func (f *fleet) run(t *testing.T, until, settled time.Duration, times float64) {
	t.Helper()
	over, sent, steps := 0.0, 0.0, 0
	worst := 0.0
	for f.now < until {
		calls := f.step()
		over = max(0, over+calls-times*f.config.Rate*fleetStep.Seconds())
		worst = max(worst, over)
		if f.now <= settled {
			continue
		}
		sent += calls
		if steps++; steps == int(time.Second/fleetStep) {
			want := min(f.config.Rate, f.demand())
			if sent < 0.9*want-1 || sent > 1.1*want+1 {
				t.Errorf("%v after the last change: %v calls in a second, want %v ± 10%%", f.now-settled+10*time.Second, sent, want)
			}
			sent, steps = 0, 0
		}
	}
	// Every client has at least one token.
	if most := float64(f.config.Burst + len(f.clients)); worst > most {
		t.Errorf("%v calls beyond %v times the rate, the burst allows %v", worst, times, most)
	}
}

var ofFleet = ratelimit.RateConfig{Rate: 1000, Burst: 100}

// Ten clients whose demands change without warning, some of them again before the
// others have heard of it. They are never more than the number together, and are it
// again within 10 s.
func TestQuotaOfAFleet(t *testing.T) {
	for seed := range uint64(5) {
		f := newFleet(t, ofFleet, 10, seed)
		for range 10 {
			for range f.bits.IntN(3) {
				f.unevenly()
				f.run(t, f.now+f.upTo(6*time.Second), f.now+time.Hour, 1)
			}
			f.unevenly()
			f.run(t, f.now+14*time.Second, f.now+10*time.Second, 1)
		}
	}
}

// With more than a hundred all parts are equal, so what some do not use, nobody does;
// but they are never more than the number, and nobody publishes anything.
func TestQuotaOfALargeFleet(t *testing.T) {
	f := newFleet(t, ratelimit.RateConfig{Rate: 3030, Burst: 303}, 101, 1)
	for _, c := range f.clients {
		c.demand = 100
	}
	f.run(t, 5*time.Second, 2*time.Second, 1)
	for _, c := range f.clients {
		if len(c.published) > 1 {
			t.Fatal("somebody publishes its demand")
		}
	}
}

// Whoever comes is one more from the beginning, which the others do not know before
// they hear of it, at most 3.5 s later.
func TestQuotaOfAFleetThatGrowsAndShrinks(t *testing.T) {
	for seed := range uint64(3) {
		f := newFleet(t, ofFleet, 4, seed)
		for _, c := range f.clients {
			c.demand = 2 * f.config.Rate
		}
		f.run(t, 20*time.Second, 10*time.Second, 1)
		f.join(t).demand = 2 * f.config.Rate
		f.run(t, 24*time.Second, time.Hour, 1.2)
		f.run(t, 40*time.Second, 30*time.Second, 1)
		f.clients[0].gone = f.now
		f.run(t, 60*time.Second, 50*time.Second, 1)
	}
}

// The registry is lost, whatever the clients demand: each keeps what it has.
func TestQuotaOfAFleetThatHearsNothing(t *testing.T) {
	for seed := range uint64(3) {
		f := newFleet(t, ofFleet, 10, seed)
		f.unevenly()
		f.run(t, f.upTo(20*time.Second), time.Hour, 1)
		f.deaf = true
		for range 10 {
			f.unevenly()
			f.run(t, f.now+f.upTo(10*time.Second), time.Hour, 1)
		}
		for _, c := range f.clients {
			c.demand = 2 * f.config.Rate
		}
		f.run(t, f.now+10*time.Second, time.Hour, 1)
	}
}

// None of ten clients ever heard of a registry, and each knows of what it kept that
// there were ten.
func TestQuotaOfAFleetThatNeverHeardAnything(t *testing.T) {
	f := newFleet(t, ofFleet, 10, 1)
	f.deaf = true
	for _, c := range f.clients {
		c.demand = f.config.Rate
		c.quota.Alone(10)
	}
	f.run(t, 30*time.Second, time.Second, 1)
}
