package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/breaker"
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want breaker.Outcome
	}{
		{"no error", nil, success},
		{"an error", errFailed, failure},
		{"the caller gave up", context.Canceled, neutral},
		{"wrapped", fmt.Errorf("orders: %w", context.Canceled), neutral},
		{"joined", errors.Join(errFailed, context.Canceled), neutral},
		{"time ran out", context.DeadlineExceeded, failure},
		{"wrapped", fmt.Errorf("orders: %w", context.DeadlineExceeded), failure},
		{"rejected further in", fmt.Errorf("orders: %w", breaker.ErrOpen), neutral},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := breaker.Judge(tt.err); got != tt.want {
				t.Errorf("outcome %d, want %d", got, tt.want)
			}
		})
	}
}

func TestDo(t *testing.T) {
	b := newBreaker(t, breaker.Config{ConsecutiveFailures: 2})
	if got, err := breaker.Do(b, func() (string, error) { return "fine", nil }); got != "fine" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := breaker.Do(b, func() (string, error) { return "half", errFailed }); got != "half" || err != errFailed {
		t.Errorf("%q, %v: want what the function returned", got, err)
	}
	func() {
		defer func() {
			if r := recover(); r != "no" {
				t.Errorf("panic of %v, want that of the function", r)
			}
		}()
		_, _ = breaker.Do(b, func() (string, error) { panic("no") })
	}()
	wantState(t, b, breaker.Open)
	if got, err := breaker.Do(b, func() (string, error) {
		t.Error("called although open")
		return "", nil
	}); got != "" || !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("%q, %v: want ErrOpen", got, err)
	}
}
