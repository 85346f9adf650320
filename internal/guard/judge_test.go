package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a package whose benchmarks print what they are told to.
type script struct {
	benchmarks map[string]func(run int) string // what follows the count; run counts from 0
	ran        []string                        // in rounds
}

func (s *script) run(_ context.Context, pkg string, cpus int, match, _, benchtime string) (string, error) {
	var out strings.Builder
	fmt.Fprintln(&out, "goos: linux\npkg:", pkg)
	for name, prints := range s.benchmarks {
		if !regexp.MustCompile(match).MatchString(name) {
			continue
		}
		n := 0
		if match != "." && strings.HasSuffix(benchtime, "x") {
			n = s.runs(name)
			s.ran = append(s.ran, name)
		}
		suffix := ""
		if cpus > 1 {
			suffix = fmt.Sprintf("-%d", cpus)
		}
		fmt.Fprintf(&out, "%s%s         \t 1000\t%s\n", name, suffix, prints(n))
	}
	fmt.Fprintln(&out, "PASS")
	return out.String(), nil
}

// takes prints a CPU time, and another by the clock, which says nothing.
func takes(ns float64, allocs int) string {
	return fmt.Sprintf("  9999 ns/op\t  %v cpu-ns/op\t  16 B/op\t  %d allocs/op", ns, allocs)
}

func always(ns float64, allocs int) func(int) string {
	return func(int) string { return takes(ns, allocs) }
}

// judged says what comes of a line of limits, and what was printed.
func judged(t *testing.T, s *script, lines ...string) (printed string, err error) {
	t.Helper()
	limits, err := parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = judge(t.Context(), s.run, limits, time.Microsecond, &out)
	return out.String(), err
}

const line = "ratio orders BenchmarkOurs BenchmarkTheirs 1.5 they do the same"

func TestWhatIsWithinItsLimitsPasses(t *testing.T) {
	s := &script{benchmarks: map[string]func(int) string{"BenchmarkOurs": always(140, 2), "BenchmarkTheirs": always(100, 0)}}
	printed, err := judged(t, s, line, "allocs orders BenchmarkOurs 2 two")
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"orders BenchmarkOurs / BenchmarkTheirs", "1.40×", "1.50×", "7%", "2 allocs"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed:\n%s", want, printed)
		}
	}
}

// Both come first by turns, and what two limits have in common runs once.
func TestSidesRunInTurn(t *testing.T) {
	s := &script{benchmarks: map[string]func(int) string{"BenchmarkOurs": always(1, 0), "BenchmarkTheirs": always(1, 0), "BenchmarkOther": always(1, 0)}}
	if _, err := judged(t, s, line, "ratio orders BenchmarkOther BenchmarkTheirs 2 the same"); err != nil {
		t.Fatal(err)
	}
	forwards, backwards := []string{"BenchmarkOurs", "BenchmarkTheirs", "BenchmarkOther"}, []string{"BenchmarkTheirs", "BenchmarkOther", "BenchmarkOurs"}
	if want := slices.Concat(forwards, backwards, forwards, backwards, forwards); !slices.Equal(s.ran, want) {
		t.Errorf("they ran as %v, want %v", s.ran, want)
	}
}

func TestARegressionFailsAfterMoreRounds(t *testing.T) {
	s := &script{benchmarks: map[string]func(int) string{"BenchmarkOurs": always(160, 0), "BenchmarkTheirs": always(100, 0), "BenchmarkFast": always(1, 0)}}
	printed, err := judged(t, s, line, "ratio orders BenchmarkFast BenchmarkTheirs 1 fast")
	if err == nil {
		t.Fatal("it passes")
	}
	for _, want := range []string{"line 1", "orders BenchmarkOurs / BenchmarkTheirs", "1.600", "35 samples", "1.5", "they do the same"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if !strings.Contains(printed, "FAILS") || strings.Contains(err.Error(), "BenchmarkFast") {
		t.Errorf("printed is\n%s\n%v", printed, err)
	}
	if n := s.runs("BenchmarkFast"); n != 5 {
		t.Errorf("what passed ran %d times", n)
	}
}

func (s *script) runs(name string) (n int) {
	for _, r := range s.ran {
		if r == name {
			n++
		}
	}
	return n
}

// Neither a burst of noise fails a run, nor a moment in which the other side was slow
// passes it.
func TestNoiseDecidesNothing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ours   func(run int) float64
		theirs func(run int) float64
		rounds int
		fails  bool
	}{
		{"ours is slow twice in five", func(n int) float64 { return []float64{190, 100}[min(n%3, 1)] }, func(int) float64 { return 100 }, 5, false},
		{"ours is slow five times", func(n int) float64 { return []float64{190, 100}[min(n/5, 1)] }, func(int) float64 { return 100 }, 15, false},
		{"ours is slow ten times", func(n int) float64 { return []float64{190, 100}[min(n/10, 1)] }, func(int) float64 { return 100 }, 35, false},
		{"both are", func(n int) float64 { return 100 * float64(1+n) }, func(n int) float64 { return 100 * float64(1+n) }, 5, false},
		{"a regression, and theirs is slow twice", func(int) float64 { return 160 }, func(n int) float64 { return []float64{190, 100}[min(n%3, 1)] }, 35, true},
	} {
		s := &script{benchmarks: map[string]func(int) string{
			"BenchmarkOurs":   func(n int) string { return takes(tt.ours(n), 0) },
			"BenchmarkTheirs": func(n int) string { return takes(tt.theirs(n), 0) },
		}}
		if _, err := judged(t, s, line); (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
		if n := s.runs("BenchmarkOurs"); n != tt.rounds {
			t.Errorf("%s: there were %d rounds, want %d", tt.name, n, tt.rounds)
		}
	}
}

// With more processors it is another benchmark, under the same name.
func TestProcessorsAreGiven(t *testing.T) {
	s := &script{benchmarks: map[string]func(int) string{"BenchmarkOurs": always(160, 0), "BenchmarkTheirs": always(100, 0)}}
	_, err := judged(t, s, "ratio cpu=2 orders BenchmarkOurs BenchmarkTheirs 1.5 they do not wait for each other")
	if err == nil || !strings.Contains(err.Error(), "line 1: cpu=2 orders BenchmarkOurs") {
		t.Errorf("error %v", err)
	}
}

// A run that somebody else disturbed does not make all others too short to say
// anything, be it the try or a run that seemed long enough.
func TestARunIsLongEnough(t *testing.T) {
	var counts []string
	run := func(_ context.Context, pkg string, cpus int, match, _, benchtime string) (string, error) {
		cost := 10
		if disturbed := []int{10, 5000, 10000}; len(counts) < len(disturbed) {
			cost = disturbed[len(counts)]
		}
		counts = append(counts, benchtime)
		return fmt.Sprintf("BenchmarkOurs 1 1 ns/op %d cpu-ns/op 0 allocs/op", cost), nil
	}
	limits, _ := parse(strings.NewReader("allocs orders BenchmarkOurs 0 none"))
	if err := judge(t.Context(), run, limits, 10*time.Microsecond, new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1x", "2µs", "2x", "2x", "1000x", "1000x", "1000x", "1000x"}; !slices.Equal(counts, want) {
		t.Errorf("the runs were for %v, want %v", counts, want)
	}
}

// A sum is what the parts take together.
func TestPartsAreAdded(t *testing.T) {
	s := &script{benchmarks: map[string]func(int) string{"BenchmarkAll": always(150, 0), "BenchmarkOne": always(70, 0), "BenchmarkOther": always(30, 0)}}
	for limit, fails := range map[string]bool{"1.51": false, "1.49": true} {
		if _, err := judged(t, s, "ratio orders BenchmarkAll BenchmarkOne + BenchmarkOther "+limit+" parts"); (err != nil) != fails {
			t.Errorf("limit %s: %v", limit, err)
		}
	}
}

// Others' allocations are counted, too, so that one run without them is enough.
func TestOneAllocationMoreFails(t *testing.T) {
	for _, tt := range []struct {
		allocs func(run int) int
		fails  bool
	}{
		{func(int) int { return 1 }, false},
		{func(int) int { return 2 }, true},
		{func(n int) int { return 3 - min(n, 2) }, false},
	} {
		s := &script{benchmarks: map[string]func(int) string{"BenchmarkOurs": func(n int) string { return takes(100, tt.allocs(n)) }}}
		_, err := judged(t, s, "allocs orders BenchmarkOurs 1 a closure")
		if (err != nil) != tt.fails {
			t.Errorf("with %d at first: %v", tt.allocs(0), err)
		}
		if err != nil && !strings.Contains(err.Error(), "2 allocations to an operation, allowed are 1: a closure") {
			t.Errorf("the error is %v", err)
		}
	}
}

// A limit of what is not there, or not measured, would hold for ever.
func TestALimitOfNothingFails(t *testing.T) {
	theirs := always(100, 0)
	for name, tt := range map[string]struct {
		benchmarks map[string]func(int) string
		says       string
	}{
		"renamed":          {map[string]func(int) string{"BenchmarkOurs2": always(1, 0), "BenchmarkTheirs": theirs}, "line 1: orders has no benchmark BenchmarkOurs,"},
		"counterpart gone": {map[string]func(int) string{"BenchmarkOurs": always(1, 0)}, "line 1: orders has no benchmark BenchmarkTheirs,"},
		"skipped":          {map[string]func(int) string{"BenchmarkOurs": func(int) string { return "" }, "BenchmarkTheirs": theirs}, "line 1: orders has no benchmark BenchmarkOurs,"},
		"by the clock":     {map[string]func(int) string{"BenchmarkOurs": func(int) string { return "100 ns/op" }, "BenchmarkTheirs": theirs}, "prints no cpu-ns/op: it has to call cputime.Start"},
		"no time at all":   {map[string]func(int) string{"BenchmarkOurs": always(1, 0), "BenchmarkTheirs": always(0, 0)}, "prints no cpu-ns/op"},
	} {
		if _, err := judged(t, &script{benchmarks: tt.benchmarks}, line); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", name, err, tt.says)
		}
	}
}

func TestABenchmarkThatFailsIsAnError(t *testing.T) {
	broken := errors.New("exit status 1: --- FAIL: BenchmarkOurs")
	limits, _ := parse(strings.NewReader(line))
	err := judge(t.Context(), func(context.Context, string, int, string, string, string) (string, error) { return "", broken }, limits, time.Microsecond, new(strings.Builder))
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
