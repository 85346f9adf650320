package serving

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const (
	start = time.Hour
	ms    = time.Millisecond
)

func TestRate(t *testing.T) {
	const second = time.Second
	type events struct {
		from, to, every time.Duration
	}
	tests := []struct {
		name   string
		events []events
		at     time.Duration
		want   float64
	}{
		{"nothing", nil, 0, 0},
		{"too early to say", []events{{0, 400 * ms, 10 * ms}}, 400 * ms, 0},
		{"after half a second", []events{{0, 500 * ms, 10 * ms}}, 500 * ms, 100},
		{"while it goes on", []events{{0, 20 * second, 10 * ms}}, 20 * second, 100},
		{"the last five seconds count", []events{{0, 20 * second, 10 * ms}, {20 * second, 25 * second, 20 * ms}}, 25 * second, 50},
		{"half of them", []events{{0, 20 * second, 10 * ms}}, 22*second + 500*ms, 50},
		{"long after", []events{{0, 20 * second, 10 * ms}}, time.Hour, 0},
		{"after a pause", []events{{0, second, 10 * ms}, {time.Hour, time.Hour + second, 10 * ms}}, time.Hour + second, 20},
		{"a clock that was set back", []events{{0, 20 * second, 10 * ms}}, -second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Rate
			for _, e := range tt.events {
				for at := e.from; at < e.to; at += e.every {
					r.Add(start + at)
				}
			}
			if got := r.Over(start+tt.at, r.First()); math.Abs(got-tt.want) > 0.1 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRateCountsAll(t *testing.T) {
	var r Rate
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 5000 {
				r.Add(start + time.Duration(i)*ms)
			}
		})
	}
	all.Wait()
	// Who comes late to a slot that has gone on may take it back.
	if got := r.Over(start+5*time.Second, r.First()); got < 1000 || got > 4000.1 {
		t.Errorf("got %v, want up to 4000", got)
	}
}

func TestLatencies(t *testing.T) {
	type call struct {
		at       time.Duration
		inFlight int64
		latency  time.Duration
	}
	many := func(n int, every time.Duration, c call) (calls []call) {
		for range n {
			c.at += every
			calls = append(calls, c)
		}
		return calls
	}
	tests := []struct {
		name     string
		calls    []call
		inFlight int64
		at       time.Duration
		from, to time.Duration
	}{
		{"nothing is known", nil, 1, 0, 0, 0},
		{"the first", []call{{0, 1, 10 * ms}}, 1, 0, 10 * ms, 10 * ms},
		{"with others in flight it is another", []call{{0, 1, 10 * ms}, {0, 9, 90 * ms}}, 9, 0, 90 * ms, 90 * ms},
		{"the nearest", []call{{0, 1, 10 * ms}, {0, 9, 90 * ms}}, 7, 0, 90 * ms, 90 * ms},
		{"the nearest below", []call{{0, 1, 10 * ms}, {0, 9, 90 * ms}}, 3, 0, 10 * ms, 10 * ms},
		{"of large numbers, about as many", []call{{0, 1000, 10 * ms}, {0, 2000, 90 * ms}}, 1010, 0, 10 * ms, 10 * ms},
		{"more than can be told apart", []call{{0, 1 << 40, 10 * ms}}, 1 << 50, 0, 10 * ms, 10 * ms},
		{"none in flight", []call{{0, 1, 10 * ms}}, -1, 0, 10 * ms, 10 * ms},
		{"one of late before a nearer of the past", []call{{0, 8, 10 * ms}, {6 * time.Second, 2, 90 * ms}}, 8, 7 * time.Second, 90 * ms, 90 * ms},
		{"the latest, if all are of the past", []call{{0, 8, 10 * ms}, {ms, 2, 90 * ms}}, 8, time.Hour, 90 * ms, 90 * ms},
		{"the latest, if all are of weeks ago", []call{{0, 8, 10 * ms}, {time.Hour, 2, 90 * ms}}, 8, 30 * 24 * time.Hour, 90 * ms, 90 * ms},
		{"rare calls: the last counts", []call{{0, 1, 10 * ms}, {2 * time.Second, 1, 90 * ms}}, 1, 2 * time.Second, 90 * ms, 90 * ms},
		{"ten a second: a tenth", []call{{0, 1, 10 * ms}, {100 * ms, 1, 110 * ms}}, 1, 100 * ms, 19 * ms, 21 * ms},
		{"thousands a second: the last 64", append([]call{{0, 1, 10 * ms}}, many(64, ms/10, call{latency: 110 * ms, inFlight: 1})...), 1, 10 * ms, 65 * ms, 80 * ms},
		{"a clock that was set back", []call{{0, 1, 10 * ms}}, 1, -time.Second / 2, 10 * ms, 10 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l Latencies
			for _, c := range tt.calls {
				l.Learn(c.inFlight, float32(c.latency), start+c.at)
			}
			if got := l.Expect(tt.inFlight, start+tt.at); got < tt.from || got > tt.to {
				t.Errorf("got %v, want %v to %v", got, tt.from, tt.to)
			}
		})
	}
}

// Ranges follow each other without a gap, and none is wider than a quarter of
// what it begins with.
func TestCrowds(t *testing.T) {
	begin := int64(0)
	for n := int64(1); n < 1<<20; n++ {
		switch c, last := crowd(n), crowd(n-1); {
		case c == last+1:
			begin = n
		case c != last:
			t.Fatalf("%d is in range %d, %d in %d", n-1, last, n, c)
		case n-begin > begin/4:
			t.Fatalf("%d and %d are in one range", begin, n)
		}
	}
	for _, n := range []int64{-1 << 62, -1, 1 << 40, math.MaxInt64} {
		if c := crowd(n); c < 0 || c >= crowds {
			t.Errorf("%d is in range %d", n, c)
		}
	}
}

// The naive way is to look at all of them.
func TestExpectIsTheNearestOfLate(t *testing.T) {
	bits := rand.New(rand.NewPCG(41, 42))
	apart := func(a, b int) int { return max(a-b, b-a) }
	for range 2000 {
		var l Latencies
		age := map[int]time.Duration{}
		for range 1 + bits.IntN(6) {
			n, ago := int64(1+bits.IntN(40)), []time.Duration{0, 1, 2, 4, 6, 8, 9}[bits.IntN(7)]*time.Second
			if _, ok := age[crowd(n)]; !ok {
				l.Learn(n, float32(crowd(n)+1)*1024, start-ago)
				age[crowd(n)] = ago
			}
		}
		here := crowd(int64(1 + bits.IntN(40)))
		nearest, freshest := math.MaxInt, time.Hour
		for c, ago := range age {
			freshest = min(freshest, ago)
			if ago <= late {
				nearest = min(nearest, apart(c, here))
			}
		}
		got := -1
		for n := int64(1); n <= 40; n++ {
			if crowd(n) == here {
				got = int(l.Expect(n, start)/1024) - 1
			}
		}
		ago, known := age[got]
		switch {
		case !known,
			nearest < math.MaxInt && (ago > late || apart(got, here) != nearest),
			nearest == math.MaxInt && ago != freshest:
			t.Fatalf("of %v range %d was taken for %d", age, got, here)
		}
	}
}
