package retry_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/retry"
)

func TestConditionNames(t *testing.T) {
	for condition, name := range map[retry.Condition]string{
		retry.ConnectFailure: "connect-failure",
		retry.Reset:          "reset",
		retry.TimedOut:       "timeout",
		retry.Overload:       "overload",
		retry.ServerFailure:  "server-failure",
	} {
		if got := condition.String(); got != name {
			t.Errorf("%d is called %q, want %q", condition, got, name)
		}
		if got, ok := retry.ParseCondition(name); got != condition || !ok {
			t.Errorf("%q is %v, %t", name, got, ok)
		}
	}
	for condition, name := range map[retry.Condition]string{
		0:                                      "none",
		retry.Overload | retry.ConnectFailure:  "connect-failure,overload",
		32:                                     "unknown",
		64 | retry.ServerFailure | retry.Reset: "reset,server-failure,unknown",
	} {
		if got := condition.String(); got != name {
			t.Errorf("%d is called %q, want %q", condition, got, name)
		}
	}
	for _, name := range []string{"", "none", "unknown", "Reset", "reset ", "connect-failure,reset"} {
		if got, ok := retry.ParseCondition(name); got != 0 || ok {
			t.Errorf("%q is %v, %t", name, got, ok)
		}
	}
}
