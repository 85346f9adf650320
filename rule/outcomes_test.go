package rule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rule"
)

var grpcCodes = strings.Fields("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED " +
	"FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED")

// judged is what a list of outcomes says, worked out as the document says it.
func judged(all []rule.Outcome, lists func(code string) bool) string {
	for _, o := range all {
		if slices.ContainsFunc(o.Codes, lists) {
			return o.As
		}
	}
	return ""
}

// FuzzOutcomes holds the table to what the document says.
func FuzzOutcomes(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		var all []rule.Outcome
		for range r.IntN(6) {
			o := rule.Outcome{As: []string{"success", "failure", "overload", "neutral"}[r.IntN(4)]}
			for range 1 + r.IntN(4) {
				from := 100 + r.IntN(500)
				switch r.IntN(3) {
				case 0:
					o.Codes = append(o.Codes, strconv.Itoa(from))
				case 1:
					o.Codes = append(o.Codes, fmt.Sprintf("%d-%d", from, from+r.IntN(600-from)))
				case 2:
					o.Codes = append(o.Codes, grpcCodes[1+r.IntN(16)])
				}
			}
			all = append(all, o)
		}
		p := policy()
		p.Spec.Outcomes = all
		outcomes := compile(t, p).Outcomes
		names := map[rule.Verdict]string{rule.Success: "success", rule.Failure: "failure", rule.Overload: "overload", rule.Neutral: "neutral"}
		check := func(of any, v rule.Verdict, said bool, want string) {
			if said != (want != "") || said && names[v] != want {
				t.Fatalf("%v is judged as %s, %t, want %q by %+v", of, names[v], said, want, all)
			}
		}
		for status := -1; status <= 1000; status++ {
			v, said := outcomes.HTTP(status)
			check(status, v, said, judged(all, func(code string) bool {
				first, last, several := strings.Cut(code, "-")
				from, err := strconv.Atoi(first)
				if to, _ := strconv.Atoi(last); several {
					return from <= status && status <= to
				}
				return err == nil && from == status
			}))
		}
		for code := range uint32(100) {
			v, said := outcomes.GRPC(code)
			check(code, v, said, judged(all, func(name string) bool { return int(code) < len(grpcCodes) && grpcCodes[code] == name }))
		}
	})
}

// A document without outcomes says nothing of any.
func TestNoOutcomes(t *testing.T) {
	o := compile(t, policy()).Outcomes
	if _, said := o.HTTP(500); o != nil || said {
		t.Errorf("of 500 something is said: %v", o)
	}
	if _, said := o.GRPC(14); said {
		t.Error("of UNAVAILABLE something is said")
	}
}

func BenchmarkOutcomes(b *testing.B) {
	p := policy()
	p.Spec.Outcomes = []rule.Outcome{{Codes: []string{"404", "NOT_FOUND"}, As: "success"}, {Codes: []string{"500-599"}, As: "failure"}}
	o := compile(b, p).Outcomes
	b.ReportAllocs()
	status := 200
	for b.Loop() {
		o.HTTP(status)
		o.GRPC(uint32(status & 15))
		status ^= 756 // 200, 572
	}
}
