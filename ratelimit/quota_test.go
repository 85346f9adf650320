package ratelimit_test

import (
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

func newQuota(tb testing.TB, c ratelimit.RateConfig) *ratelimit.Quota {
	tb.Helper()
	q, err := ratelimit.NewQuota(c)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want)+1e-9 }

func TestQuotaShare(t *testing.T) {
	unknown, nan := -1.0, math.NaN()
	hundred := make([]float64, 100)
	hundred[7] = 5000
	tests := []struct {
		name    string
		mine    int
		demands []float64
		want    float64 // of 1000
	}{
		{"alone and not listed", -1, nil, 1000},
		{"alone, without demand", 0, []float64{0}, 1000},
		{"alone, with too much", 0, []float64{5000}, 1000},
		{"not listed yet: one more", -1, []float64{900, 100, 0}, 250},
		{"not listed: an index that is not there", 3, []float64{900, 100, 0}, 250},
		{"demands that can be met, and what is left", 0, []float64{300, 500}, 400},
		{"the same of the other", 1, []float64{300, 500}, 600},
		{"demands that cannot: the modest one", 0, []float64{300, 5000}, 300},
		{"demands that cannot: the other", 1, []float64{300, 5000}, 700},
		{"without demand there is a hundredth of an equal part", 0, []float64{0, 5000}, 5},
		{"a demand that is not known is an equal part", 0, []float64{unknown, 5000}, 500},
		{"so it is to the others", 1, []float64{nan, 5000}, 500},
		{"a demand without end is none", 0, []float64{math.Inf(1), 5000}, 5},
		{"a hundred share by demand", 7, hundred, 1000 - 99*0.1},
		{"of more, all have the same", 7, append(hundred, 0), 1000.0 / 101},
		{"and who is not listed yet makes more", -1, hundred, 1000.0 / 101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
			given := slices.Clone(tt.demands)
			q.Clients(0, tt.mine, given)
			for i := range given {
				given[i] = 1e6 // they are the caller's
			}
			q.Observe(time.Second)
			if got := q.Share(); !near(got, tt.want) {
				t.Errorf("the share is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestQuotaAlone(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	for _, tt := range []struct {
		clients int
		want    float64
	}{{0, 1000}, {9, 100}, {3, 250}, {-5, 1000}, {4, 200}} {
		if q.Alone(tt.clients); q.Share() != tt.want {
			t.Errorf("after %d clients the share is %v, want %v", tt.clients, q.Share(), tt.want)
		}
	}
	q.Clients(0, 0, []float64{1, 1})
	if q.Alone(9); q.Share() != 500 {
		t.Errorf("once others were heard of the share is %v, want that it holds", q.Share())
	}
}

func TestQuotaBucketFollowsTheShare(t *testing.T) {
	tests := []struct {
		name  string
		c     ratelimit.RateConfig
		n     int
		burst int
		rate  int // in ten seconds
	}{
		{"the whole", ratelimit.RateConfig{Rate: 100, Burst: 50}, 1, 50, 1000},
		{"a fifth of the rate and of the burst", ratelimit.RateConfig{Rate: 100, Burst: 50}, 5, 10, 200},
		{"rounded down", ratelimit.RateConfig{Rate: 60, Burst: 50}, 3, 16, 200},
		{"at least one", ratelimit.RateConfig{Rate: 100, Burst: 1}, 10, 1, 100},
		{"none said is the calls of a second", ratelimit.RateConfig{Rate: 100}, 4, 25, 250},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQuota(t, tt.c)
			q.Clients(0, 0, make([]float64, tt.n))
			if got := allowed(q.Bucket(), 0, ordinary, 1000); got != tt.burst {
				t.Errorf("%d at once, want %d", got, tt.burst)
			}
			got := 0
			for now := time.Duration(0); now <= 10*time.Second; now += 10 * ms {
				got += allowed(q.Bucket(), now, ordinary, 10)
			}
			if got < tt.rate-1 || got > tt.rate {
				t.Errorf("%d in ten seconds, want %d", got, tt.rate)
			}
		})
	}
}

func TestQuotaKeepsTheTokens(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 100, Burst: 100})
	q.Clients(0, 0, []float64{0, 0})
	allowed(q.Bucket(), 0, ordinary, 40)
	q.Clients(0, 0, []float64{0})
	if got := allowed(q.Bucket(), 0, ordinary, 1000); got != 10 {
		t.Errorf("%d tokens are left after the share grew, want the 10 of before", got)
	}
}

// asks makes a client ask so often in every second, observed at the end of each, and
// returns when it was told to publish, and what.
func asks(q *ratelimit.Quota, now *time.Duration, seconds int, perSecond int) (published []publication) {
	for range seconds {
		for range perSecond {
			q.Bucket().Allow(*now, ordinary)
		}
		*now += time.Second
		q.Observe(*now)
		if demand, due := q.Publish(*now); due {
			published = append(published, publication{*now, demand})
		}
	}
	return published
}

func TestQuotaDemandCountsWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(t, ratelimit.RateConfig{Rate: 10, Burst: 1})
		began := time.Now()
		q.Observe(0)
		for range 3 {
			for range 30 {
				q.Bucket().Allow(time.Since(began), sheddable)
				_ = q.Bucket().Wait(t.Context(), critical, 0)
			}
			_ = q.Bucket().Wait(t.Context(), ordinary, time.Second) // 100 ms, asked once
			time.Sleep(900 * ms)
			q.Observe(time.Since(began))
		}
		if got := q.Demand(); !near(got, 61) {
			t.Errorf("the demand is %v, want 61", got)
		}
	})
}

func TestQuotaDemand(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	now := time.Duration(-5 * time.Second)
	q.Observe(now)
	for i, tt := range []struct {
		asks int
		want float64
	}{{30, 30}, {60, 45}, {60, 50}, {60, 60}, {0, 40}, {0, 20}, {0, 0}} {
		asks(q, &now, 1, tt.asks)
		if got := q.Demand(); !near(got, tt.want) {
			t.Errorf("after second %d the demand is %v, want %v", i+1, got, tt.want)
		}
	}
	for range 100 {
		q.Bucket().Allow(now, ordinary)
	}
	for range 100 { // too soon, or earlier
		q.Observe(now + time.Millisecond)
		q.Observe(now - time.Hour)
	}
	if got := q.Demand(); got != 0 {
		t.Errorf("observed too often the demand is %v, want what it was", got)
	}
	q.Observe(now + 97*time.Second)
	q.Observe(now + 98*time.Second)
	q.Observe(now + 99*time.Second)
	if got := q.Demand(); !near(got, 100.0/99) {
		t.Errorf("after a long pause the demand is %v, want %v", got, 100.0/99)
	}
}

func TestQuotaPublish(t *testing.T) {
	type step struct{ seconds, perSecond int }
	tests := []struct {
		name    string
		clients int
		steps   []step
		at      []float64 // seconds
		want    []float64 // what is published then
	}{
		{"the first time at once", 2, []step{{20, 100}}, []float64{1}, []float64{100}},
		{"the first time without demand", 2, []step{{20, 0}}, []float64{1}, []float64{0}},
		{"a fifth more is none", 2, []step{{10, 100}, {20, 120}}, []float64{1}, []float64{100}},
		{"more than a fifth is, when it has come to rest", 2, []step{{10, 100}, {20, 125}}, []float64{1, 14}, []float64{100, 125}},
		{"a fifth less is none", 2, []step{{10, 100}, {20, 80}}, []float64{1}, []float64{100}},
		{"more than a fifth less is", 2, []step{{10, 100}, {20, 75}}, []float64{1, 14}, []float64{100, 75}},
		{"from zero", 2, []step{{10, 0}, {20, 100}}, []float64{1, 13}, []float64{0, 100}},
		{"to zero", 2, []step{{10, 100}, {20, 0}}, []float64{1, 13}, []float64{100, 0}},
		{"at most every five seconds", 2, []step{{1, 100}, {30, 200}}, []float64{1, 6}, []float64{100, 200}},
		{"a peak that passes is none", 2, []step{{10, 100}, {1, 300}, {20, 100}}, []float64{1}, []float64{100}},
		{"less than a hundredth of an equal part is as good as none", 2, []step{{10, 0}, {20, 5}}, []float64{1}, []float64{0}},
		{"a hundred clients", 100, []step{{20, 100}}, []float64{1}, []float64{100}},
		{"never, with more of them", 101, []step{{10, 100}, {10, 0}}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
			q.Clients(0, 0, make([]float64, tt.clients))
			now := time.Duration(0)
			q.Observe(now)
			if _, due := q.Publish(now); due {
				t.Error("it is due before anything was measured")
			}
			var got []publication
			for _, s := range tt.steps {
				got = append(got, asks(q, &now, s.seconds, s.perSecond)...)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("published is %v, want %v at %v", got, tt.want, tt.at)
			}
			for i, p := range got {
				if p.at.Seconds() != tt.at[i] || !near(p.demand, tt.want[i]) {
					t.Errorf("published is %v, want %v at %v", got, tt.want, tt.at)
				}
			}
		})
	}
}

// A demand that never comes to rest is published as what it is on the average.
func TestQuotaPublishesADemandThatComesInBursts(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	q.Clients(0, 0, []float64{0, 0})
	now := time.Duration(0)
	q.Observe(now)
	got := asks(q, &now, 1, 0)
	for range 10 {
		got = append(got, asks(q, &now, 1, 300)...)
		got = append(got, asks(q, &now, 2, 0)...)
	}
	if len(got) != 2 || got[1].demand != 100 {
		t.Errorf("published is %v, want 0 and 100", got)
	}
}

// Others may have heard of a rise three seconds after it was published; of a fall they
// need not have.
func TestQuotaWaitsUntilOthersHaveHeard(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	now := time.Duration(0)
	q.Observe(now)
	q.Clients(now, 0, []float64{-1, 5000})
	asks(q, &now, 10, 100)
	q.Clients(now, 0, []float64{100, 5000})
	share := func(want float64, why string) {
		t.Helper()
		if got := q.Share(); !near(got, want) {
			t.Errorf("%s, the share is %v, want %v", why, got, want)
		}
	}
	share(100, "when all know of the demand")
	for len(asks(q, &now, 1, 400)) == 0 {
	}
	share(100, "when a rise was published")
	q.Clients(now, 0, []float64{400, 5000})
	share(100, "when it is known here")
	asks(q, &now, 2, 400)
	share(100, "two seconds later")
	asks(q, &now, 1, 400)
	share(400, "three seconds later")
	asks(q, &now, 10, 400)
	for len(asks(q, &now, 1, 50)) == 0 {
	}
	share(50, "when a fall was published")
	q.Clients(now, 0, []float64{50, 5000})
	q.Clients(now, 0, []float64{50, 30})
	share(510, "when the other demands less")
}

func TestQuotaSet(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	q.Clients(0, 0, []float64{300, 5000})
	if err := q.Set(ratelimit.RateConfig{Rate: 400, Burst: 40}); err != nil {
		t.Fatal(err)
	}
	if got := q.Share(); got != 200 {
		t.Errorf("the share is %v, want 200", got)
	}
	if got := allowed(q.Bucket(), 0, ordinary, 1000); got != 20 {
		t.Errorf("the burst is %d, want 20", got)
	}
	if err := q.Set(ratelimit.RateConfig{Rate: 400, Burst: 80}); err != nil {
		t.Fatal(err)
	}
	if got := allowed(q.Bucket(), time.Second, ordinary, 1000); got != 40 {
		t.Errorf("the burst is %d with another for the whole, want 40", got)
	}
	if err := q.Set(ratelimit.RateConfig{}); err == nil || q.Share() != 200 {
		t.Errorf("a bad configuration: %v, and the share is %v", err, q.Share())
	}
	if q, err := ratelimit.NewQuota(ratelimit.RateConfig{Rate: -1}); q != nil || err == nil {
		t.Errorf("NewQuota returns %v, %v", q, err)
	}
}

func TestQuotaAsksAllocateNothing(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1000})
	if got := testing.AllocsPerRun(1000, func() { q.Bucket().Allow(0, ordinary) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestQuotaUnderConcurrency(t *testing.T) {
	q := newQuota(t, ratelimit.RateConfig{Rate: 1e9})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				now := time.Duration(j) * 10 * ms
				q.Bucket().Allow(now, ordinary)
				q.Observe(now)
				q.Publish(now)
				q.Clients(now, i, make([]float64, 1+j%10))
				q.Alone(i)
				if j%100 == 0 {
					_ = q.Set(ratelimit.RateConfig{Rate: 1e9, Burst: j + 1})
				}
				if share := q.Share(); !(share > 0 && share <= 1e9) || q.Demand() < 0 {
					t.Error("the share is " + strconv.FormatFloat(share, 'g', -1, 64))
				}
			}
		})
	}
	all.Wait()
}
