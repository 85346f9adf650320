package transport

import (
	"log/slog"
	"testing"
	"time"
)

// What a freeze is by each clock: both are asked, since the monotonic one
// stands still while the machine is suspended, and an administrator may set
// the other.
func TestAFreezeByBothClocks(t *testing.T) {
	tests := []struct {
		name       string
		mono, wall time.Duration // since the last beat
		frozen     bool
	}{
		{"between two beats", 5 * time.Second, 5 * time.Second, false},
		{"short of CPU", 29 * time.Second, 29 * time.Second, false},
		{"stopped or frozen in its cgroup", 15 * time.Minute, 15 * time.Minute, true},
		{"just long enough", frozenAfter, frozenAfter, true},
		{"suspended with its machine", 2 * time.Second, 15 * time.Minute, true},
		{"suspended, and the wall clock not set yet", 2 * time.Second, 2 * time.Second, false},
		{"stopped while the wall clock was set back", 15 * time.Minute, -time.Hour, true},
		{"the wall clock set back", 5 * time.Second, -time.Hour, false},
		{"the wall clock set forward", 5 * time.Second, time.Hour, true},
		{"read a little before the beat it is compared with", -time.Microsecond, -time.Microsecond, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pulse{logger: slog.New(slog.DiscardHandler)}
			start := moment{time.Hour, 26 * 365 * 24 * time.Hour}
			now := moment{start.mono + tt.mono, start.wall + tt.wall}
			want := uint64(0)
			if tt.frozen {
				want = 1
			}
			p.last.Store(&beat{at: start})
			for range 3 { // however many look, it was one freeze
				if got := p.thaws(now); got != want {
					t.Fatalf("found %d freezes, want %d", got, want)
				}
			}

			// The goroutine that beats finds no less than a call does, and what
			// it found stays found.
			p.last.Store(&beat{at: start})
			p.beat(now)
			p.beat(moment{now.mono + beatEvery, now.wall + beatEvery})
			if got := p.found(); got != want {
				t.Errorf("the pulse found %d freezes, want %d", got, want)
			}
		})
	}
}
