package sim_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/bound"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// What queueing theory knows in closed form, the simulator has to find. Calls
// take a mean of 10 ms and nothing is lost on the wire, so that times are what
// theory has, and a network of two nanoseconds.
const (
	mean    = 10 * time.Millisecond
	exactly = 0.02
)

// queues plays calls on instances without history, failures or places.
func queues(t *testing.T, subject sim.Subject, instances, workers int, load float64, calls float64) *sim.Result {
	t.Helper()
	if testing.Short() || underRace {
		t.Skip("it plays millions of calls, on one goroutine")
	}
	length := time.Duration(calls / load / float64(instances*workers) * float64(mean))
	r, err := sim.Run(sim.Plan{
		Length: length, Warmup: length / 10,
		Traffic:   sim.Traffic{Load: load},
		Work:      sim.Work{Mean: mean},
		Fleet:     []sim.Class{{Name: "all", Count: instances, Workers: workers}},
		Network:   sim.Network{Near: 1},
		Balancing: balancer.Balancing{Subset: balancer.Subset{Off: true}},
	}, subject, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check compares the mean and some quantiles with theory: survival is the share of
// calls that take longer, by times of mean.
func check(t *testing.T, r *sim.Result, want float64, survival func(x float64) float64, quantiles ...float64) {
	t.Helper()
	near := func(what string, got time.Duration, want float64) {
		if ratio := float64(got) / (want * float64(mean)); math.Abs(ratio-1) > exactly {
			t.Errorf("%s is %v, theory has %.3f ms: %.2f %% off", what, got, want*10, 100*(ratio-1))
		} else {
			t.Logf("%s: %v, theory %.3f ms (%+.2f %%)", what, got, want*10, 100*(ratio-1))
		}
	}
	near("mean", r.Latency.Mean(), want)
	for _, q := range quantiles {
		low, high := 0.0, 1e4
		for range 100 {
			if mid := (low + high) / 2; survival(mid) > 1-q {
				low = mid
			} else {
				high = mid
			}
		}
		near(fmt.Sprintf("p%g", 100*q), r.Latency.Quantile(q), low)
	}
}

func policy(p balancer.Policy) sim.Subject { return sim.Subject{Policy: p} }

func TestOneQueue(t *testing.T) {
	for _, load := range []float64{0.5, 0.8, 0.9} {
		t.Run(fmt.Sprint("M/M/1 at ", load), func(t *testing.T) {
			r := queues(t, policy(balancer.P2CEWMA{}), 1, 1, load, 4e6)
			check(t, r, 1/(1-load), func(x float64) float64 { return math.Exp(-(1 - load) * x) }, 0.5, 0.9, 0.99)
		})
	}
}

// erlangC is the share of calls that wait in M/M/n with a load of so many workers.
func erlangC(n int, a float64) float64 {
	b := 1.0 // Erlang B by its recursion
	for i := 1; i <= n; i++ {
		b = a * b / (float64(i) + a*b)
	}
	rho := a / float64(n)
	return b / (1 - rho*(1-b))
}

// mmn returns the mean and the survival function of the time in M/M/n.
func mmn(n int, load float64) (mean float64, survival func(float64) float64) {
	wait, drain := erlangC(n, load*float64(n)), float64(n)*(1-load)
	return 1 + wait/drain, func(x float64) float64 {
		if math.Abs(drain-1) < 1e-9 {
			return math.Exp(-x) * (1 + wait*x)
		}
		// The sum of a call's work and its wait, which is exponential if there is one.
		return (1-wait)*math.Exp(-x) + wait*(drain*math.Exp(-x)-math.Exp(-drain*x))/(drain-1)
	}
}

func TestManyWorkers(t *testing.T) {
	for _, tt := range []struct {
		n    int
		load float64
	}{{2, 0.7}, {4, 0.9}, {16, 0.8}} {
		t.Run(fmt.Sprintf("M/M/%d at %g", tt.n, tt.load), func(t *testing.T) {
			want, survival := mmn(tt.n, tt.load)
			check(t, queues(t, policy(balancer.RoundRobin{}), 1, tt.n, tt.load, 6e6), want, survival, 0.5, 0.9, 0.99, 0.999)
		})
	}
}

func TestCentralQueueIsOneQueueOfAllWorkers(t *testing.T) {
	want, survival := mmn(20, 0.9)
	check(t, queues(t, sim.Subject{Oracle: bound.CentralQueue{}}, 10, 2, 0.9, 3e6), want, survival, 0.5, 0.9, 0.99)
}

func TestRandomIsAQueueEach(t *testing.T) {
	const load = 0.7
	check(t, queues(t, policy(balancer.Random{}), 50, 1, load, 3e6), 1/(1-load), func(x float64) float64 { return math.Exp(-(1 - load) * x) }, 0.5, 0.9, 0.99, 0.999)
}

// Of n instances in turn each gets every nth call: a queue to which calls come at
// times that are Erlang distributed. Its calls find it with so many others as is
// geometric in the root of a known equation (Kleinrock, Queueing Systems, G/M/1).
func TestRoundRobinIsAQueueOfEveryNth(t *testing.T) {
	const n, load = 10, 0.8
	root := 0.5
	for range 1000 {
		root = math.Pow(n*load/(n*load+1-root), n)
	}
	check(t, queues(t, policy(balancer.RoundRobin{}), n, 1, load, 3e6), 1/(1-root), func(x float64) float64 { return math.Exp(-(1 - root) * x) }, 0.5, 0.9, 0.99)
}

// Of many instances with two choices for each call, the share that has k calls or
// more is load^(2^k-1) (Vvedenskaya, Dobrushin and Karpelevich, 1996; Mitzenmacher,
// 2001). A call that is the kth at its instance takes the time of k.
func TestTwoChoices(t *testing.T) {
	for _, load := range []float64{0.7, 0.9, 0.95} {
		t.Run(fmt.Sprint("at ", load), func(t *testing.T) {
			tail := func(k int) float64 { return math.Pow(load, math.Exp2(float64(k))-1) }
			// A call joins where there are k-1 or more if both that it draws have them.
			joins := func(k int) float64 { return tail(k-1)*tail(k-1) - tail(k)*tail(k) }
			want := 0.0
			for k := 1; k < 30; k++ {
				want += float64(k) * joins(k)
			}
			survival := func(x float64) float64 {
				sum := 0.0
				for k := 1; k < 30; k++ {
					erlang, term := 0.0, math.Exp(-x)
					for i := range k {
						erlang += term
						term *= x / float64(i+1)
					}
					sum += joins(k) * erlang
				}
				return sum
			}
			check(t, queues(t, policy(balancer.LeastRequest{}), 2000, 1, load, 3e6), want, survival, 0.5, 0.9, 0.99, 0.999)
		})
	}
}
