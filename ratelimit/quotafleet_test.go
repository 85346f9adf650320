package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// fleet is ten clients that share a limit, and hear of each other late: whoever
// looks sees what another published 1 to 3 s before.
type fleet struct {
	number  float64
	clients []*fleetClient
	now     time.Duration
	late    [][]time.Duration // by who looks and at whom
}

type fleetClient struct {
	quota     *ratelimit.Quota
	demand    float64 // calls per second
	due       float64 // calls
	phase     time.Duration
	published []publication
}

type publication struct {
	at     time.Duration
	demand float64
}

const fleetStep = 10 * time.Millisecond

func newFleet(t *testing.T, c ratelimit.RateConfig, n int, bits *rand.Rand) *fleet {
	t.Helper()
	f := &fleet{number: c.Rate, now: -time.Second}
	for range n {
		q, err := ratelimit.NewQuota(c)
		if err != nil {
			t.Fatal(err)
		}
		f.clients = append(f.clients, &fleetClient{
			quota: q, phase: time.Duration(bits.Int64N(int64(time.Second))).Truncate(fleetStep),
			published: []publication{{f.now - time.Hour, -1}},
		})
		late := make([]time.Duration, n)
		for i := range late {
			late[i] = time.Second + time.Duration(bits.Int64N(int64(2*time.Second)))
		}
		f.late = append(f.late, late)
	}
	for i := range f.clients {
		f.listen(i)
	}
	return f
}

// listen tells a client what it sees of all.
func (f *fleet) listen(i int) {
	demands := make([]float64, len(f.clients))
	for j, c := range f.clients {
		for _, p := range c.published {
			if p.at+f.late[i][j] <= f.now {
				demands[j] = p.demand
			}
		}
	}
	f.clients[i].quota.Clients(f.now, i, demands)
}

// step lets a hundredth of a second pass and returns how many calls were sent.
func (f *fleet) step() (sent float64) {
	f.now += fleetStep
	for i, c := range f.clients {
		f.listen(i)
		if (f.now-c.phase)%time.Second == 0 {
			c.quota.Observe(f.now)
			if demand, due := c.quota.Publish(f.now); due {
				c.published = append(c.published, publication{f.now, demand})
			}
		}
		for c.due += c.demand * fleetStep.Seconds(); c.due >= 1; c.due-- {
			if c.quota.Bucket().Allow(f.now, ratelimit.Default) {
				sent++
			}
		}
	}
	return sent
}

func (f *fleet) demand() (sum float64) {
	for _, c := range f.clients {
		sum += c.demand
	}
	return sum
}

// unevenly changes what the clients demand, in one of many ways.
func (f *fleet) unevenly(bits *rand.Rand) {
	kind := bits.IntN(5)
	if kind == 4 {
		bits.Shuffle(len(f.clients), func(i, j int) {
			f.clients[i].demand, f.clients[j].demand = f.clients[j].demand, f.clients[i].demand
		})
		return
	}
	one := bits.IntN(len(f.clients))
	for i, c := range f.clients {
		half := bits.IntN(2) == 0
		switch {
		case kind == 0:
			c.demand = f.number * []float64{0, 0.005, 0.02, 0.08, 0.1, 0.2, 1, 3}[bits.IntN(8)]
		case kind == 1 && i != one, kind == 2 && half:
			c.demand = f.number / 100
		case kind == 3:
			c.demand = f.number * bits.Float64() / 4
		default:
			c.demand = 3 * f.number
		}
	}
}

// Ten clients whose demands change without warning, some of them again before the
// others have heard of it.
func TestQuotaOfAFleet(t *testing.T) {
	const number, burst, seconds = 1000, 100, 150
	worst, least, most := 0.0, 1.0, 1.0
	for seed := range uint64(80) {
		bits := rand.New(rand.NewPCG(seed, 8))
		f := newFleet(t, ratelimit.RateConfig{Rate: number, Burst: burst}, 10, bits)
		f.unevenly(bits)
		changed, next := time.Duration(0), 20*time.Second
		over, sent, steps := 0.0, 0.0, 0
		for f.now < seconds*time.Second {
			if f.now >= next {
				f.unevenly(bits)
				wait := 5 * bits.Float64()
				if bits.IntN(2) == 0 {
					wait = 13 + 5*wait/5
				}
				changed, next = f.now, f.now+time.Duration(wait*float64(time.Second))
				sent, steps = 0, 0
			}
			calls := f.step()
			// What comes beyond a rate is what a bucket of that rate would overflow by.
			over = max(0, over+calls-1.0*number*fleetStep.Seconds())
			worst = max(worst, over)
			if f.now >= changed+10*time.Second {
				sent += calls
				if steps++; steps == 100 {
					want := min(number, f.demand())
					if want > 0 {
						if sent/want < .92 {
							fmt.Println("seed", seed, "after", f.now-changed, sent, want)
							for i, c := range f.clients {
								fmt.Printf("  %d dem %.0f measured %.0f share %.0f", i, c.demand, c.quota.Demand(), c.quota.Share())
								for _, p := range c.published {
									if p.at > changed-6*time.Second {
										fmt.Printf(" %v:%.0f", p.at-changed, p.demand)
									}
								}
								fmt.Println()
							}
						}
						least, most = min(least, sent/want), max(most, sent/want)
					}
					sent, steps = 0, 0
				}
			}
		}
	}
	fmt.Println(worst, least, most)
}
