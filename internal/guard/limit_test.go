package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestALineIsALimit(t *testing.T) {
	got, err := parse(strings.NewReader(`
# A comment, and an empty line.

ratio  balancer BenchmarkPick/nodes=10 BenchmarkBound/nodes=10 1.5 what it is: 1.2
  ratio cpu=2 transport BenchmarkAll BenchmarkOne + BenchmarkOther 2 both
allocs transport/fairhttp BenchmarkAll 0 none
`))
	want := []limit{
		{4, ratio, 1, "balancer", "BenchmarkPick/nodes=10", []string{"BenchmarkBound/nodes=10"}, 1.5, "what it is: 1.2"},
		{5, ratio, 2, "transport", "BenchmarkAll", []string{"BenchmarkOne", "BenchmarkOther"}, 2, "both"},
		{6, allocs, 1, "transport/fairhttp", "BenchmarkAll", nil, 0, "none"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// A line that says nothing, or not what its author thinks, is no guard.
func TestALineThatIsNoLimitIsRefused(t *testing.T) {
	const good = "ratio balancer BenchmarkA BenchmarkB 1.5 reason"
	for _, tt := range []struct{ line, says string }{
		{"rato balancer BenchmarkA BenchmarkB 1.5 reason", `kind is "rato": allowed are "ratio" and "allocs"`},
		{"ratio", `package is ""`},
		{"ratio cpu=0 balancer BenchmarkA BenchmarkB 1.5 reason", `cpu is "0": allowed is 1 to 64`},
		{"ratio cpu=two balancer BenchmarkA BenchmarkB 1.5 reason", `cpu is "two"`},
		{"ratio ./balancer BenchmarkA BenchmarkB 1.5 reason", `package is "./balancer": allowed is a directory below`},
		{"ratio ../balancer BenchmarkA BenchmarkB 1.5 reason", `package is "../balancer"`},
		{"ratio /balancer BenchmarkA BenchmarkB 1.5 reason", `package is "/balancer"`},
		{"ratio balancer/ BenchmarkA BenchmarkB 1.5 reason", `package is "balancer/"`},
		{"ratio balancer Pick BenchmarkB 1.5 reason", `benchmark is "Pick": allowed is a name such as`},
		{"ratio balancer BenchmarkA/ BenchmarkB 1.5 reason", `benchmark is "BenchmarkA/"`},
		{"ratio balancer BenchmarkA 1.5 reason", `compared with is "1.5": allowed is a name such as`},
		{"ratio balancer BenchmarkA BenchmarkB + 1.5 reason", `compared with is "1.5"`},
		{"ratio balancer BenchmarkA BenchmarkB + ", `compared with is ""`},
		{"ratio balancer BenchmarkA BenchmarkB reason", `limit is "reason": allowed is a number above 0, at most 100`},
		{"ratio balancer BenchmarkA BenchmarkB 0 reason", `limit is "0"`},
		{"ratio balancer BenchmarkA BenchmarkB -1 reason", `limit is "-1"`},
		{"ratio balancer BenchmarkA BenchmarkB 101 reason", `limit is "101"`},
		{"ratio balancer BenchmarkA BenchmarkB NaN reason", `limit is "NaN"`},
		{"ratio balancer BenchmarkA BenchmarkB +Inf reason", `limit is "+Inf"`},
		{"ratio balancer BenchmarkA BenchmarkB 1.5", `there is no reason: allowed is`},
		{"allocs balancer BenchmarkA BenchmarkB 1 reason", `limit is "BenchmarkB": allowed is a whole number from 0`},
		{"allocs balancer BenchmarkA 1.5 reason", `limit is "1.5"`},
		{"allocs balancer BenchmarkA -1 reason", `limit is "-1"`},
		{good, `balancer BenchmarkA / BenchmarkB is limited in line 1: allowed is one line of each`},
	} {
		limits, err := parse(strings.NewReader(good + "\n" + tt.line))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want line 2 and %s", tt.line, err, tt.says)
		}
		if limits != nil {
			t.Errorf("%s: there are limits all the same: %v", tt.line, limits)
		}
	}
}

func TestAFileWithoutLimitsIsRefused(t *testing.T) {
	if _, err := parse(strings.NewReader("# nothing\n")); err == nil {
		t.Error("it is accepted")
	}
}

func TestTheCommittedLimitsCanBeRead(t *testing.T) {
	f, err := os.Open("limits.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := parse(f); err != nil {
		t.Error(err)
	}
}
