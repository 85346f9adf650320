package retry_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/retry"
)

func TestPolicyAllows(t *testing.T) {
	const twice, once = true, false // idempotent or not
	tests := []struct {
		name       string
		max        int
		failure    retry.Failure
		attempt    int
		idempotent bool
		want       bool
	}{
		{"unsent, whatever the method", 0, retry.Unsent, 1, once, true},
		{"unsent, idempotent", 0, retry.Unsent, 1, twice, true},
		{"lost, idempotent", 0, retry.Lost, 1, twice, true},
		{"lost, not idempotent: it may have been executed", 0, retry.Lost, 1, once, false},
		{"answered, idempotent", 0, retry.Answered, 1, twice, false},
		{"answered, not idempotent", 0, retry.Answered, 1, once, false},

		{"three attempts by default", 0, retry.Unsent, 2, twice, true},
		{"and no fourth", 0, retry.Unsent, 3, twice, false},
		{"one attempt: nothing is retried", 1, retry.Unsent, 1, twice, false},
		{"two attempts", 2, retry.Unsent, 1, twice, true},
		{"two attempts and no third", 2, retry.Unsent, 2, twice, false},
		{"five attempts", 5, retry.Lost, 4, twice, true},
		{"five attempts and no sixth", 5, retry.Lost, 5, twice, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := retry.Policy{MaxAttempts: tt.max}
			if got := p.Allows(tt.failure, tt.attempt, tt.idempotent); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestPolicyValidate(t *testing.T) {
	tests := []struct {
		name string
		max  int
		want []string // field, value and what is allowed; nil: valid
	}{
		{"zero", 0, nil},
		{"the most", retry.MostAttempts, nil},
		{"negative", -1, []string{"Policy.MaxAttempts", "-1", "0 (meaning 3) to 5"}},
		{"too many", 6, []string{"Policy.MaxAttempts", "6", "0 (meaning 3) to 5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names(t, retry.Policy{MaxAttempts: tt.max}.Validate(), tt.want)
		})
	}
}
