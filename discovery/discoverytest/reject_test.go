package discoverytest_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
)

// patienceOfChild is the environment variable that makes TestSuiteRejects run
// the suite itself, with that patience, against what -test.run names.
const patienceOfChild = "DISCOVERYTEST_PATIENCE"

// TestSuiteRejects runs the suite against each broken registry in a process of
// its own. Exactly those sub-tests have to fail that the registry breaks the
// promise of, and there has to be no sub-test that never fails.
func TestSuiteRejects(t *testing.T) {
	if s := os.Getenv(patienceOfChild); s != "" {
		patience, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range allBroken() {
			t.Run(b.name, func(t *testing.T) { discoverytest.Run(t, harness(b, patience)) })
		}
		return
	}

	all := allBroken()
	results := make([]chan result, len(all)) // processes mostly wait: all run at once
	for n, b := range all {
		results[n] = make(chan result, 1)
		go func() { results[n] <- judge(t, b) }() // ends with its processes, received from below
	}
	var passed, failed []string
	var total int // sub-tests of the suite, by the run against the sound one
	for n, b := range all {
		t.Run(b.name, func(t *testing.T) {
			r := <-results[n]
			if !r.asWanted(b) {
				t.Errorf("failed: %q\n  want: %q\nskipped: %q\n  want: %q\n%s", r.failed, b.fails, r.skipped, b.skips, r.output)
			}
			if n == 0 {
				total = len(r.passed)
			}
			if got := len(r.passed) + len(r.failed) + len(r.skipped); got != total {
				t.Errorf("%d sub-tests came to an end, want %d\n%s", got, total, r.output)
			}
			passed = append(passed, r.passed...)
			failed = append(failed, r.failed...)
		})
	}
	slices.Sort(passed)
	for _, name := range slices.Compact(passed) {
		if !slices.Contains(failed, name) {
			t.Errorf("%s fails for no broken registry: nothing shows that it can", name)
		}
	}
}

// harness has the sound Memory where b has nothing of its own.
func harness(b broken, patience time.Duration) discoverytest.Harness {
	return discoverytest.Harness{
		Carries:  b.carries,
		Patience: patience,
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			m := new(discovery.Memory)
			f := discoverytest.Fixture{Registry: m, Registrar: m, Writer: discoverytest.Through(t, m, instances...)}
			if b.registry != nil {
				f.Registry = b.registry(m)
			}
			if b.registrar != nil {
				f.Registrar = b.registrar(m)
			}
			return f
		},
	}
}

// result is what one run of the suite said.
type result struct {
	passed, failed, skipped []string // names of sub-tests, without groups, sorted
	err                     error    // of the process
	output                  string
}

func (r result) asWanted(b broken) bool {
	failed := slices.DeleteFunc(slices.Clone(r.failed), func(name string) bool {
		// What this one notices of others' faults is a matter of scheduling.
		return name == "Change/ConcurrentUse" && !slices.Contains(b.fails, name)
	})
	return slices.Equal(failed, slices.Sorted(slices.Values(b.fails))) &&
		slices.Equal(r.skipped, slices.Sorted(slices.Values(b.skips))) &&
		len(r.passed) > 0 && (r.err != nil) == (len(r.failed) > 0)
}

// judge begins with little patience, to be done soon, and asks again with more
// where a busy machine may have spoilt the result.
func judge(t *testing.T, b broken) result {
	r := runSuite(t, b.name, "700ms")
	if !r.asWanted(b) {
		r = runSuite(t, b.name, "6s")
	}
	return r
}

func runSuite(t *testing.T, name, patience string) result {
	path := t.Name() + "/" + strings.ReplaceAll(name, " ", "_") // as package testing spells it
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+strings.Replace(regexp.QuoteMeta(path), "/", "$/^", 1)+"$")
	child.Env = append(os.Environ(), patienceOfChild+"="+patience)
	output, err := child.CombinedOutput()
	return result{
		passed:  subtests(output, path, "PASS"),
		failed:  subtests(output, path, "FAIL"),
		skipped: subtests(output, path, "SKIP"),
		err:     err,
		output:  string(output),
	}
}

func subtests(output []byte, path, verdict string) []string {
	line := regexp.MustCompile(`--- ` + verdict + `: ` + regexp.QuoteMeta(path) + `/(\w+/\w+) `)
	var names []string
	for _, match := range line.FindAllSubmatch(output, -1) {
		names = append(names, string(match[1]))
	}
	slices.Sort(names)
	return names
}
