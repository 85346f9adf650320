package retry_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func TestPolicyAllows(t *testing.T) {
	twice := func(e retry.Ended) retry.Ended { e.Idempotent = true; return e }
	ended := func(how retry.Condition, code int) retry.Ended { return retry.Ended{How: how, Code: code} }
	var (
		plain    retry.Policy
		all      = retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.TimedOut | retry.Overload | retry.ServerFailure}
		reset    = retry.Policy{On: retry.Reset}
		statuses = retry.Policy{Codes: []int{503, 14}}
		both     = retry.Policy{On: retry.Overload, Codes: []int{409}}
	)
	tests := []struct {
		name   string
		policy retry.Policy
		ended  retry.Ended
		n      int
		want   bool
	}{
		{"what never arrived, whatever it was", plain, ended(retry.ConnectFailure, 0), 1, true},
		{"what never arrived and is idempotent", plain, twice(ended(retry.ConnectFailure, 0)), 1, true},
		{"a lost connection, idempotent", plain, twice(ended(retry.Reset, 0)), 1, true},
		{"a lost connection, not idempotent: it may have been executed", plain, ended(retry.Reset, 0), 1, false},
		{"a timeout is not in the default", plain, twice(ended(retry.TimedOut, 0)), 1, false},
		{"nor is overload", plain, twice(ended(retry.Overload, 503)), 1, false},
		{"nor is a server's failure", plain, twice(ended(retry.ServerFailure, 500)), 1, false},
		{"an answer that is no failure", plain, twice(ended(0, 404)), 1, false},
		{"an end that says nothing", plain, twice(ended(0, 0)), 1, false},

		{"a timeout by rule", all, twice(ended(retry.TimedOut, 0)), 1, true},
		{"overload by rule", all, twice(ended(retry.Overload, 503)), 1, true},
		{"a server's failure by rule", all, twice(ended(retry.ServerFailure, 500)), 1, true},
		{"and not what may be executed once only: a timeout", all, ended(retry.TimedOut, 0), 1, false},
		{"overload", all, ended(retry.Overload, 503), 1, false},
		{"a server's failure", all, ended(retry.ServerFailure, 500), 1, false},
		{"nothing but what the rule says", reset, ended(retry.ConnectFailure, 0), 1, false},
		{"no success, whatever the rule", all, twice(ended(0, 200)), 1, false},

		{"a status by rule", statuses, twice(ended(retry.Overload, 503)), 1, true},
		{"a gRPC code by rule", statuses, twice(ended(retry.ServerFailure, 14)), 1, true},
		{"another status", statuses, twice(ended(retry.ServerFailure, 500)), 1, false},
		{"codes stand for the default conditions", statuses, twice(ended(retry.Reset, 0)), 1, false},
		{"a code of what never arrived", statuses, ended(retry.ConnectFailure, 14), 1, true},
		{"a code of what may be executed once only", statuses, ended(retry.Overload, 503), 1, false},
		{"a status that is no failure", both, twice(ended(0, 409)), 1, true},
		{"the condition beside the code", both, twice(ended(retry.Overload, 429)), 1, true},

		{"the server wants no other", all, retry.Ended{How: retry.Overload, Idempotent: true, Stop: true}, 1, false},
		{"not even of what was not executed", all, retry.Ended{How: retry.ConnectFailure, Stop: true}, 1, false},
		{"the server wants a while", all, retry.Ended{How: retry.Overload, Idempotent: true, RetryAfter: 10 * time.Second}, 1, true},
		{"too long a while", all, retry.Ended{How: retry.Overload, Idempotent: true, RetryAfter: 10*time.Second + 1}, 1, false},
		{"a time that has passed", all, retry.Ended{How: retry.Overload, Idempotent: true, RetryAfter: -time.Hour}, 1, true},

		{"three attempts by default", plain, ended(retry.ConnectFailure, 0), 2, true},
		{"and no fourth", plain, ended(retry.ConnectFailure, 0), 3, false},
		{"one attempt: nothing is retried", retry.Policy{MaxAttempts: 1}, ended(retry.ConnectFailure, 0), 1, false},
		{"two attempts", retry.Policy{MaxAttempts: 2}, ended(retry.ConnectFailure, 0), 1, true},
		{"two attempts and no third", retry.Policy{MaxAttempts: 2}, ended(retry.ConnectFailure, 0), 2, false},
		{"five attempts", retry.Policy{MaxAttempts: 5}, ended(retry.ConnectFailure, 0), 4, true},
		{"five attempts and no sixth", retry.Policy{MaxAttempts: 5}, ended(retry.ConnectFailure, 0), 5, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.policy.Allows(tt.ended, tt.n); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestPolicyWait(t *testing.T) {
	const (
		half = 1 << 63
		all  = 1<<64 - 1
	)
	tests := []struct {
		name  string
		ended retry.Ended
		n     int
		bits  uint64
		want  time.Duration
	}{
		{"who found nobody goes elsewhere at once", retry.Ended{How: retry.ConnectFailure}, 1, all, 0},
		{"so does who lost the connection", retry.Ended{How: retry.Reset}, 1, all, 0},
		{"and who has waited long enough", retry.Ended{How: retry.TimedOut}, 1, all, 0},
		{"from then on there is a wait", retry.Ended{How: retry.ConnectFailure}, 2, half, 12500 * time.Microsecond},
		{"which grows", retry.Ended{How: retry.ConnectFailure}, 3, half, 25 * ms},
		{"an overloaded server is given time at once", retry.Ended{How: retry.Overload}, 1, half, 12500 * time.Microsecond},
		{"a failing one as well", retry.Ended{How: retry.ServerFailure}, 1, half, 12500 * time.Microsecond},
		{"and one that says so by code", retry.Ended{Code: 409}, 1, half, 12500 * time.Microsecond},
		{"and more of it the second time", retry.Ended{How: retry.Overload}, 2, half, 25 * ms},
		{"none by chance", retry.Ended{How: retry.Overload}, 2, 0, 0},
		{"no less than the server asks for", retry.Ended{How: retry.Overload, RetryAfter: time.Second}, 1, 0, time.Second},
		{"spread over half as much again", retry.Ended{How: retry.Overload, RetryAfter: time.Second}, 1, half, 1250 * ms},
		{"and less than that", retry.Ended{How: retry.Overload, RetryAfter: time.Second}, 1, all, 1500*ms - 1},
		{"no less than the backoff", retry.Ended{How: retry.Overload, RetryAfter: 1}, 1, half, 12500 * time.Microsecond},
		{"a time that has passed", retry.Ended{How: retry.Overload, RetryAfter: -time.Hour}, 1, half, 12500 * time.Microsecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (retry.Policy{}).Wait(tt.ended, tt.n, tt.bits); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPolicyNext(t *testing.T) {
	const bits = 1 << 63 // half of the most
	tests := []struct {
		name  string
		ended retry.Ended
		n     int
		spent bool
		wait  time.Duration
		again bool
		err   error
		price int
	}{
		{name: "what is made again is paid for", ended: retry.Ended{How: retry.ConnectFailure}, n: 1, again: true, price: 1},
		{name: "and may have to wait", ended: retry.Ended{How: retry.ConnectFailure}, n: 2, wait: 12500 * time.Microsecond, again: true, price: 1},
		{name: "what is final is free", ended: retry.Ended{How: retry.Reset}, n: 1},
		{name: "the last attempt", ended: retry.Ended{How: retry.ConnectFailure}, n: 3},
		{name: "nothing left to pay with", ended: retry.Ended{How: retry.ConnectFailure}, n: 1, spent: true, err: retry.ErrBudgetSpent},
		{name: "what is final asks for no money", ended: retry.Ended{How: retry.Reset}, n: 1, spent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBudget(t, retry.BudgetConfig{})
			if tt.spent {
				withdrawAll(b, time.Hour)
			}
			before := b.Remaining(time.Hour)
			wait, again, err := retry.Policy{}.Next(b, time.Hour, tt.ended, tt.n, bits)
			if wait != tt.wait || again != tt.again || err != tt.err {
				t.Errorf("got %v, %v, %v; want %v, %v, %v", wait, again, err, tt.wait, tt.again, tt.err)
			}
			if paid := before - b.Remaining(time.Hour); paid != tt.price {
				t.Errorf("it cost %d, want %d", paid, tt.price)
			}
		})
	}
}

func TestPolicyValidate(t *testing.T) {
	tests := []struct {
		name   string
		policy retry.Policy
		want   []string // field, value and what is allowed; nil: valid
	}{
		{"zero", retry.Policy{}, nil},
		{"the most attempts", retry.Policy{MaxAttempts: retry.MostAttempts}, nil},
		{"negative attempts", retry.Policy{MaxAttempts: -1}, []string{"Policy.MaxAttempts", "-1", "0 (meaning 3) to 5"}},
		{"too many attempts", retry.Policy{MaxAttempts: 6}, []string{"Policy.MaxAttempts", "6", "0 (meaning 3) to 5"}},
		{"all conditions", retry.Policy{On: 31}, nil},
		{"an unknown condition", retry.Policy{On: 32}, []string{"Policy.On", "32", "to 31"}},
		{"the ends of the codes", retry.Policy{Codes: []int{1, 16, 100, 599}}, nil},
		{"OK is no failure", retry.Policy{Codes: []int{503, 0}}, []string{"Policy.Codes[1]", "is 0", "1 to 16", "100 to 599"}},
		{"between the codes", retry.Policy{Codes: []int{17}}, []string{"Policy.Codes[0]", "17"}},
		{"below the statuses", retry.Policy{Codes: []int{99}}, []string{"Policy.Codes[0]", "99"}},
		{"above the statuses", retry.Policy{Codes: []int{600}}, []string{"Policy.Codes[0]", "600"}},
		{"negative code", retry.Policy{Codes: []int{-1}}, []string{"Policy.Codes[0]", "-1"}},
		{"negative attempt timeout", retry.Policy{AttemptTimeout: -time.Second}, []string{"Policy.AttemptTimeout", "-1s", "0 (meaning none)"}},
		{"bad backoff", retry.Policy{Backoff: retry.BackoffConfig{BaseInterval: -1}}, []string{"Policy.Backoff", "BaseInterval", "-1ns"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { names(t, tt.policy.Validate(), tt.want) })
	}
}
