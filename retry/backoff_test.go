package retry_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

const ms = time.Millisecond

func TestBackoffWait(t *testing.T) {
	var plain retry.BackoffConfig
	tests := []struct {
		name   string
		config retry.BackoffConfig
		n      int
		below  time.Duration // of all waits; 0: there is none
	}{
		{"there is no wait before the first", plain, 0, 0},
		{"nor before that", plain, -1, 0},
		{"the first is below the base", plain, 1, 25 * ms},
		{"the ceiling doubles", plain, 2, 50 * ms},
		{"and doubles", plain, 4, 200 * ms},
		{"up to ten times the base", plain, 5, 250 * ms},
		{"and no further", plain, 100, 250 * ms},
		{"however often", plain, math.MaxInt, 250 * ms},
		{"its own base", retry.BackoffConfig{BaseInterval: 3 * ms}, 1, 3 * ms},
		{"ten times its own base", retry.BackoffConfig{BaseInterval: 3 * ms}, 9, 30 * ms},
		{"its own most", retry.BackoffConfig{MaxInterval: 40 * ms}, 2, 40 * ms},
		{"a most that is the base", retry.BackoffConfig{BaseInterval: ms, MaxInterval: ms}, 3, ms},
		{"the longest of all", retry.BackoffConfig{BaseInterval: time.Hour}, math.MaxInt, 10 * time.Hour},
	}
	bits := rand.New(rand.NewPCG(13, 14))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			least, most, sum := 100*time.Hour, time.Duration(0), time.Duration(0)
			const draws = 2000
			for range draws {
				d := tt.config.Wait(tt.n, bits.Uint64())
				least, most, sum = min(least, d), max(most, d), sum+d
			}
			for _, extreme := range []uint64{0, math.MaxUint64} {
				d := tt.config.Wait(tt.n, extreme)
				least, most = min(least, d), max(most, d)
			}
			if tt.below == 0 {
				if most != 0 {
					t.Errorf("it waits %v", most)
				}
				return
			}
			if least != 0 || most >= tt.below || most < tt.below*9/10 {
				t.Errorf("it waits %v to %v, want all of 0 to %v", least, most, tt.below)
			}
			if mean := sum / draws; mean < tt.below*4/10 || mean > tt.below*6/10 {
				t.Errorf("it waits %v on the average, want half of %v", mean, tt.below)
			}
		})
	}
}

func TestBackoffConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		config retry.BackoffConfig
		want   []string // field, value and what is allowed; nil: valid
	}{
		{"zero", retry.BackoffConfig{}, nil},
		{"both", retry.BackoffConfig{BaseInterval: ms, MaxInterval: time.Second}, nil},
		{"the same", retry.BackoffConfig{BaseInterval: ms, MaxInterval: ms}, nil},
		{"negative base", retry.BackoffConfig{BaseInterval: -ms}, []string{"BackoffConfig.BaseInterval", "-1ms", "0 (meaning 25ms) to 1h"}},
		{"endless base", retry.BackoffConfig{BaseInterval: math.MaxInt64}, []string{"BackoffConfig.BaseInterval", "2562047h", "to 1h"}},
		{"negative most", retry.BackoffConfig{MaxInterval: -1}, []string{"BackoffConfig.MaxInterval", "-1ns", "base of 25ms to 1h"}},
		{"most below the base", retry.BackoffConfig{BaseInterval: time.Second, MaxInterval: ms}, []string{"BackoffConfig.MaxInterval", "1ms", "base of 1s"}},
		{"most below the base that nobody set", retry.BackoffConfig{MaxInterval: 24 * ms}, []string{"BackoffConfig.MaxInterval", "24ms", "base of 25ms"}},
		{"endless most", retry.BackoffConfig{MaxInterval: math.MaxInt64}, []string{"BackoffConfig.MaxInterval", "2562047h", "to 1h"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { names(t, tt.config.Validate(), tt.want) })
	}
}
