package breaker_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

func TestConfigIsValidated(t *testing.T) {
	tests := []struct {
		name   string
		config breaker.Config
		want   string // in the error; empty: none
	}{
		{"the zero value", breaker.Config{}, ""},
		{"the largest", breaker.Config{
			Window: time.Hour, MinRequests: 1_000_000, FailureRate: 1, ConsecutiveFailures: 1_000_000, SlowCallDuration: time.Hour,
			SlowCallRate: 1, OpenFor: time.Hour, HalfOpenRequests: 1000, ProbeTimeout: time.Hour,
		}, ""},
		{"the smallest", breaker.Config{
			Window: 100 * time.Millisecond, MinRequests: 1, FailureRate: 1e-9, SlowCallDuration: 1, OpenFor: time.Millisecond,
			ProbeTimeout: time.Millisecond,
		}, ""},
		{"a negative window", breaker.Config{Window: -time.Second}, "Config.Window is -1s: allowed is 0 (meaning 10s) or 100ms to 1h"},
		{"a window too short to be counted in", breaker.Config{Window: 99 * time.Millisecond}, "Config.Window is 99ms"},
		{"a window too long", breaker.Config{Window: 2 * time.Hour}, "Config.Window is 2h0m0s"},
		{"negative calls", breaker.Config{MinRequests: -1}, "Config.MinRequests is -1: allowed is 0 (meaning 20) to 1000000"},
		{"a rate that is none", breaker.Config{FailureRate: math.NaN()}, "Config.FailureRate is NaN: allowed is 0 (meaning 0.5) to 1"},
		{"per cent", breaker.Config{FailureRate: 50}, "Config.FailureRate is 50"},
		{"a negative rate", breaker.Config{FailureRate: -0.1}, "Config.FailureRate is -0.1"},
		{"negative failures", breaker.Config{ConsecutiveFailures: -3}, "Config.ConsecutiveFailures is -3: allowed is 0 (meaning any number)"},
		{"a negative duration", breaker.Config{SlowCallDuration: -1}, "Config.SlowCallDuration is -1ns: allowed is 0 (meaning that none is slow) or 1ns to 1h"},
		{"a slow rate that is none", breaker.Config{SlowCallDuration: 1, SlowCallRate: math.Inf(1)}, "Config.SlowCallRate is +Inf: allowed is 0 (meaning 1) to 1"},
		{"a slow rate where none is slow", breaker.Config{SlowCallRate: 0.5}, "Config.SlowCallRate is 0.5: allowed is 0 only, as SlowCallDuration is 0"},
		{"open for less than nothing", breaker.Config{OpenFor: -1}, "Config.OpenFor is -1ns: allowed is 0 (meaning 3s) or 1ms to 1h"},
		{"too many probes", breaker.Config{HalfOpenRequests: 1001}, "Config.HalfOpenRequests is 1001: allowed is 0 (meaning 1) to 1000"},
		{"probes too short", breaker.Config{ProbeTimeout: 1}, "Config.ProbeTimeout is 1ns: allowed is 0 (meaning 1s) or 1ms to 1h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := breaker.New("orders", tt.config)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		breaker.Closed.String(): "closed", breaker.HalfOpen.String(): "half-open", breaker.Open.String(): "open", breaker.State(9).String(): "unknown",
		breaker.Automatic.String(): "automatic", breaker.Disabled.String(): "disabled", breaker.ForcedOpen.String(): "forced-open", breaker.ObserveOnly.String(): "observe-only",
		breaker.NoReason.String(): "", breaker.FailureRate.String(): "failure-rate", breaker.ProbeFailed.String(): "probe-failed",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
