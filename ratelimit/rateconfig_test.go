package ratelimit_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/ratelimit"
)

func TestRateConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		config ratelimit.RateConfig
		want   []string // field, value and what is allowed; nil: valid
	}{
		{"a rate is enough", ratelimit.RateConfig{Rate: 0.01}, nil},
		{"the most", ratelimit.RateConfig{Rate: 1e9, Burst: 1e9, MaxKeys: 1e6}, nil},
		{"zero", ratelimit.RateConfig{}, []string{"RateConfig.Rate", "is 0", "above 0 to 1e+09"}},
		{"negative rate", ratelimit.RateConfig{Rate: -1}, []string{"RateConfig.Rate", "-1", "above 0"}},
		{"rate not a number", ratelimit.RateConfig{Rate: math.NaN()}, []string{"RateConfig.Rate", "NaN", "above 0"}},
		{"infinite rate", ratelimit.RateConfig{Rate: math.Inf(1)}, []string{"RateConfig.Rate", "+Inf", "1e+09"}},
		{"negative burst", ratelimit.RateConfig{Rate: 1, Burst: -1}, []string{"RateConfig.Burst", "-1", "0 (meaning the calls of a second) to 1000000000"}},
		{"negative keys", ratelimit.RateConfig{Rate: 1, MaxKeys: -1}, []string{"RateConfig.MaxKeys", "-1", "0 (meaning 10000) to 1000000"}},
		{"too many keys", ratelimit.RateConfig{Rate: 1, MaxKeys: 1e6 + 1}, []string{"RateConfig.MaxKeys", "1000001", "to 1000000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Validate()
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("error is %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			b, newErr := ratelimit.NewBuckets(tt.config)
			if (newErr == nil) != (err == nil) || (b == nil) != (err != nil) {
				t.Errorf("NewBuckets: %v, %v", b, newErr)
			}
		})
	}
}

func TestRateConfigWithoutBurst(t *testing.T) {
	for perSecond, want := range map[float64]int{0.001: 1, 1: 1, 1.5: 2, 10: 10} {
		if got := allowed(newBucket(t, perSecond, 0), 0, ordinary, 100); got != want {
			t.Errorf("at %v a second %d may come at once, want %d", perSecond, got, want)
		}
	}
}
