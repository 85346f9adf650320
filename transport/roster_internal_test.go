package transport

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// callers are clients of these IDs, of which "me" is this process. Each wants as
// many calls under limit "x" as its ID is long.
func callers(state discovery.State, ids ...string) discovery.Clients {
	c := discovery.Clients{State: state, Number: len(ids)}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		c.Clients = append(c.Clients, discovery.Client{ID: id, Self: id == "me", Demand: map[string]float64{"x": float64(len(id))}})
	}
	return c
}

func TestRoster(t *testing.T) {
	const live, stale, cold = discovery.Live, discovery.Stale, discovery.Cold
	type step struct {
		wait   time.Duration
		heard  discovery.Clients
		silent bool // nothing is heard
		want   int
	}
	for _, row := range []struct {
		name  string
		steps []step
	}{
		{"nothing was heard", []step{{silent: true, want: 1}}},
		{"a cold list says nothing", []step{{heard: callers(live, "a", "me"), want: 2}, {heard: callers(cold), want: 2}}},
		{"the process is one of them", []step{{heard: callers(live, "a", "b", "me"), want: 3}}},
		{"and counts before it is listed", []step{{heard: callers(live, "a", "b"), want: 3}, {heard: callers(live, "a", "b", "me"), want: 3}}},
		{"those beyond what is kept count", []step{{heard: discovery.Clients{State: live, Number: 20_000}, want: 20_001}}},
		{"who vanishes counts for a while", []step{
			{heard: callers(live, "a", "b", "me"), want: 3},
			{heard: callers(live, "a", "me"), want: 3},
			{wait: absence - 1, silent: true, want: 3},
			{wait: 1, silent: true, want: 2},
		}},
		{"who comes back counts once", []step{
			{heard: callers(live, "a", "b", "me"), want: 3},
			{heard: callers(live), want: 3},
			{wait: absence / 2, heard: callers(live, "a", "b", "me"), want: 3},
			{wait: absence, silent: true, want: 3},
		}},
		{"a list that is stale takes nobody away", []step{
			{heard: callers(live, "a", "b", "me"), want: 3},
			{heard: callers(stale, "a", "b", "me"), want: 3},
			{wait: time.Hour, silent: true, want: 3},
		}},
		{"nor those who vanished just before", []step{
			{heard: callers(live, "a", "b", "me"), want: 3},
			{heard: callers(live, "me"), want: 3},
			{heard: callers(stale, "me"), want: 3},
			{wait: time.Hour, silent: true, want: 3},
			{heard: callers(live, "me"), want: 3},
			{wait: absence, silent: true, want: 1},
		}},
		{"a store that was wiped is filled again", []step{
			{heard: callers(live, "a", "b", "c", "me"), want: 4},
			{heard: callers(stale, "a", "b", "c", "me"), want: 4},
			{wait: time.Hour, heard: callers(live), want: 4},
			{wait: time.Second, heard: callers(live, "a"), want: 4},
			{wait: time.Second, heard: callers(live, "a", "me"), want: 4},
			{wait: time.Second, heard: callers(live, "a", "c", "me"), want: 4},
			{wait: absence, silent: true, want: 3},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var r roster
			now := time.Duration(7)
			for n, s := range row.steps {
				now += s.wait
				if !s.silent {
					r.update(s.heard, now)
				}
				r.expire(now)
				if got := r.size(); got != s.want {
					t.Errorf("step %d: %d clients, want %d", n, got, s.want)
				}
				if mine, demands := r.demands("x"); mine < 0 && len(demands) != s.want-1 || mine >= 0 && len(demands) != s.want {
					t.Errorf("step %d: %d demands, of which %d is mine, want those of %d", n, len(demands), mine, s.want)
				}
			}
		})
	}
}

func TestWhatWhoWantsIsKnown(t *testing.T) {
	var r roster
	r.update(discovery.Clients{State: discovery.Live, Number: 6, Clients: []discovery.Client{
		{ID: "a", Demand: map[string]float64{"x": 3}},
		{ID: "b"},
		{ID: "c", Self: true, Demand: map[string]float64{"y": 4}},
		{ID: "d", Demand: map[string]float64{"x": 0}},
	}}, 0)
	mine, demands := r.demands("x")
	if want := []float64{3, unknown, unknown, 0, unknown, unknown}; mine != 2 || !slices.Equal(demands, want) {
		t.Errorf("%v, mine is %d, want %v and 2", demands, mine, want)
	}
}

// Of any history, those count who are listed or were within the time, while the
// registry was heard.
func TestRosterCountsWhoWasThereLately(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 2))
		var r roster
		gone := map[string]time.Duration{} // when they vanished
		var now time.Duration
		before := discovery.Clients{State: discovery.Live}
		for range 100 {
			now += time.Duration(random.Int64N(int64(absence / 2)))
			next := before
			if random.IntN(3) == 0 {
				next.State = discovery.Stale
			} else {
				var ids []string
				for n := range 6 {
					if random.IntN(2) == 0 {
						ids = append(ids, fmt.Sprint("i", n))
					}
				}
				next = callers(discovery.Live, ids...)
			}
			r.update(next, now)
			r.expire(now)
			if next.State == discovery.Live {
				for id := range gone {
					if before.State == discovery.Stale {
						gone[id] = now
					}
				}
				for _, c := range before.Clients {
					gone[c.ID] = now
				}
				for _, c := range next.Clients {
					delete(gone, c.ID)
				}
				for id, at := range gone {
					if now-at >= absence {
						delete(gone, id)
					}
				}
			}
			before = next
			if want := len(next.Clients) + len(gone) + 1; r.size() != want {
				t.Fatalf("seed %d: %d clients, want %d", seed, r.size(), want)
			}
		}
	}
}
