package retry_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func TestLeast(t *testing.T) {
	const m = time.Minute
	type records struct {
		n     int
		at, d time.Duration
	}
	tests := []struct {
		name string
		did  []records
		at   time.Duration
		want time.Duration // below 0: unknown
	}{
		{"nothing is known of nothing", nil, 0, -1},
		{"nor of nineteen", []records{{19, 0, ms}}, 0, -1},
		{"twenty are enough", []records{{20, 0, ms}}, 0, ms},
		{"in two windows, too", []records{{10, m - 1, ms}, {10, m, 2 * ms}}, m, ms},
		{"the least of all", []records{{20, 0, 9 * ms}, {1, 0, ms}, {20, 0, 5 * ms}}, 0, ms},
		{"it holds for a minute", []records{{20, m - 1, ms}}, 2*m - 1, ms},
		{"and no longer than two", []records{{20, 0, ms}}, 2 * m, -1},
		{"then what came later is all there is", []records{{20, 0, ms}, {20, m, 3 * ms}}, 2 * m, 3 * ms},
		{"a window that is used again", []records{{20, 0, ms}, {20, 2 * m, 3 * ms}}, 2 * m, 3 * ms},
		{"and not after a month, when minutes are numbered anew", []records{{20, 0, ms}}, 40_000 * m, -1},
		{"after which it begins again", []records{{20, 0, ms}, {20, 40_000 * m, 3 * ms}}, 40_000 * m, 3 * ms},
		{"no time at all", []records{{20, 0, 0}}, 0, 0},
		{"less than that", []records{{20, 0, -1}}, 0, 0},
		{"a very long time", []records{{20, 0, math.MaxInt64}}, 0, 1<<43 - 1},
		{"who read the clock before the others did", []records{{20, m, ms}}, m - 1, ms},
		{"who is late for a window that is used again is left out", []records{{20, 3 * m, 2 * ms}, {20, m, ms}}, 3 * m, 2 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Time may be counted from anywhere.
			for _, from := range []time.Duration{0, -4 * m, 100_000_000 * m} {
				var l retry.Least
				for _, r := range tt.did {
					for range r.n {
						l.Record(from+r.at, r.d)
					}
				}
				got, ok := l.Least(from + tt.at)
				if ok != (tt.want >= 0) || ok && got != tt.want {
					t.Errorf("from %v: got %v, %t; want %v", from, got, ok, tt.want)
				}
			}
		})
	}
}

// Against one that keeps all.
func TestLeastAgainstAll(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var l retry.Least
	var n naive
	now, known := time.Duration(0), 0
	for range 20_000 {
		now += time.Duration(r.ExpFloat64() * float64(2*time.Second))
		d := time.Duration((1 + r.Float64()) * 1e6 * math.Exp(2*math.Sin(now.Minutes()/3)))
		l.Record(now, d)
		n = append(n, sample{now, d})
		if len(n) > 400 {
			n = n[len(n)-400:]
		}
		two, _ := n.quantile(now-2*time.Minute, now, 0)
		one, count := n.quantile(now-time.Minute, now, 0)
		got, ok := l.Least(now)
		if !ok {
			if count >= 20 {
				t.Fatalf("unknown with %d of the last minute", count)
			}
			continue
		}
		if known++; got < two || got > one {
			t.Fatalf("%v: that of one minute is %v, that of two %v", got, one, two)
		}
	}
	if known < 10_000 {
		t.Errorf("known only %d times", known)
	}
}

func TestLeastRefusesWhatCannotSucceed(t *testing.T) {
	var l retry.Least
	if !l.Allows(0, 0) {
		t.Error("refused while nothing is known")
	}
	for range 20 {
		l.Record(0, 20*ms)
	}
	for second := range time.Duration(3) {
		now := second * time.Second
		for _, left := range []time.Duration{20 * ms, time.Hour} {
			if !l.Allows(now, left) {
				t.Errorf("refused with %v left", left)
			}
		}
		passed := 0
		for i := range time.Duration(1000) {
			if l.Allows(now+i*ms, 20*ms-1) {
				passed++
			}
		}
		if passed != 1 {
			t.Errorf("%d passed in a second with too little time, want one to find out", passed)
		}
	}
}

// A method that has become faster is not refused for long, though all that is left
// of its callers have less time than it once needed.
func TestLeastFindsOutThatAMethodHasBecomeFaster(t *testing.T) {
	var l retry.Least
	for range 20 {
		l.Record(0, time.Second)
	}
	refused := 0
	for now := ms; now < 10*time.Second; now += ms {
		if l.Allows(now, 500*ms) {
			l.Record(now, 10*ms)
		} else {
			refused++
		}
	}
	if refused > 1000 {
		t.Errorf("%d refused, want those of one second at most", refused)
	}
}

func TestLeastUnderConcurrency(t *testing.T) {
	var l retry.Least
	for minute := range time.Duration(5) {
		var all sync.WaitGroup
		for caller := range time.Duration(8) {
			all.Go(func() {
				for i := range time.Duration(1000) {
					now := minute*time.Minute + i*ms
					l.Record(now, minute*time.Second+(caller*1000+i*7%1000+1)*time.Microsecond)
					l.Least(now)
				}
			})
		}
		all.Wait()
		want := max(0, minute-1)*time.Second + time.Microsecond
		if got, ok := l.Least(minute*time.Minute + time.Second); !ok || got != want {
			t.Errorf("in minute %d: %v, %t; want %v", minute, got, ok, want)
		}
	}
}

func TestLeastAllocatesNothing(t *testing.T) {
	var l retry.Least
	now := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += time.Second
		l.Record(now, ms)
		l.Allows(now, 0)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
