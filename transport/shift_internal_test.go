package transport

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The moments of a shift are counted from far before the process began, as in a bubble.
const long = -26 * 365 * 24 * time.Hour

// Calls move by a tenth, a quarter, half and all of what is asked for, each two
// seconds, and back the same way after ten seconds.
func TestShift(t *testing.T) {
	type aim struct {
		at     time.Duration
		to     float64
		reason string
	}
	const why = "why"
	tests := []struct {
		name string
		aims []aim
		want map[time.Duration]float64
	}{
		{"nothing is asked for", nil, map[time.Duration]float64{0: 0, time.Hour: 0}},
		{"all", []aim{{0, 1, why}}, map[time.Duration]float64{
			0: 0.1, 1999 * time.Millisecond: 0.1, 2 * time.Second: 0.25, 4 * time.Second: 0.5, 6 * time.Second: 1, time.Hour: 1}},
		{"a part", []aim{{0, 0.4, why}}, map[time.Duration]float64{0: 0.04, 2 * time.Second: 0.1, 4 * time.Second: 0.2, 6 * time.Second: 0.4, time.Hour: 0.4}},
		{"and back", []aim{{0, 1, why}, {time.Minute, 0, ""}}, map[time.Duration]float64{
			time.Minute: 1, 69 * time.Second: 1, 70 * time.Second: 0.5, 72 * time.Second: 0.25, 74 * time.Second: 0.1, 76 * time.Second: 0, time.Hour: 0}},
		{"back to a part at once, since somebody says so", []aim{{0, 1, why}, {time.Minute, 0.2, why}}, map[time.Duration]float64{
			time.Minute: 0.5, 62 * time.Second: 0.25, 64 * time.Second: 0.2, time.Hour: 0.2}},
		{"on from a part", []aim{{0, 0.2, why}, {time.Minute, 1, why}}, map[time.Duration]float64{
			59 * time.Second: 0.2, time.Minute: 0.25, 62 * time.Second: 0.5, 64 * time.Second: 1}},
		{"back before it is there", []aim{{0, 1, why}, {3 * time.Second, 0, ""}}, map[time.Duration]float64{
			2 * time.Second: 0.25, 12 * time.Second: 0.25, 13 * time.Second: 0.125, 15 * time.Second: 0.0625, 17 * time.Second: 0.025, 19 * time.Second: 0}},
		{"the same again and again puts nothing off", []aim{{0, 1, why}, {time.Second, 1, why}, {time.Minute, 0, ""}, {65 * time.Second, 0, ""}, {69 * time.Second, 0, ""}, {71 * time.Second, 0, ""}},
			map[time.Duration]float64{2 * time.Second: 0.25, 70 * time.Second: 0.5, 72 * time.Second: 0.25}},
		{"a reason that returns before calls do", []aim{{0, 1, why}, {time.Minute, 0, ""}, {69 * time.Second, 1, why}}, map[time.Duration]float64{
			65 * time.Second: 1, 69 * time.Second: 1, time.Hour: 1}},
		{"a reason that returns while calls do", []aim{{0, 1, why}, {time.Minute, 0, ""}, {73 * time.Second, 1, why}}, map[time.Duration]float64{
			72 * time.Second: 0.25, 73 * time.Second: 0.25, 74 * time.Second: 0.5, 76 * time.Second: 1}},
		{"each end of a reason has its ten seconds", []aim{{0, 1, why}, {time.Minute, 0, ""}, {65 * time.Second, 1, why}, {66 * time.Second, 0, ""}}, map[time.Duration]float64{
			75 * time.Second: 1, 76 * time.Second: 0.5}},
		{"a reason that flaps moves nothing faster", []aim{{0, 1, why}, {1, 0, ""}, {2, 1, why}, {3, 0, ""}, {4, 1, why}, {5, 0, ""}, {6, 1, why}}, map[time.Duration]float64{
			7: 0.1, time.Second: 0.1, 2 * time.Second: 0.25, 4 * time.Second: 0.5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for at, want := range tt.want {
				s := new(shift)
				for _, a := range tt.aims {
					if a.at <= at {
						s = s.aim("edge", a.to, a.reason, long+a.at)
					}
				}
				if got, _ := s.at(long + at); got < want-1e-9 || got > want+1e-9 {
					t.Errorf("at %v the share is %v, want %v", at, got, want)
				}
			}
		})
	}
}

// Whatever is asked for, and when: no step is larger than that from one part to the
// next, none follows another within two seconds, and no call comes back within ten
// seconds of a reason.
func TestShiftNeverJumps(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s, now := new(shift), long
		last, moved, reasoned := 0.0, long-time.Hour, long-time.Hour
		for range 200 {
			if rng.IntN(3) == 0 {
				to, reason := 0.0, ""
				if rng.IntN(2) == 0 {
					to, reason = 1, "why"
				}
				s = s.aim("edge", to, reason, now)
			}
			if s.reason != "" {
				reasoned = now
			}
			share, _ := s.at(now)
			if share != last {
				if now-moved < shiftStep-200*time.Millisecond { // it was seen later than it was made
					t.Fatalf("seed %d: a step after %v", seed, now-moved)
				}
				if share < last && s.to == 0 && now-reasoned < shiftHold {
					t.Fatalf("seed %d: back %v after there was a reason", seed, now-reasoned)
				}
				if share-last > 0.5 || last-share > 0.5 {
					t.Fatalf("seed %d: from %v to %v", seed, last, share)
				}
				last, moved = share, now
			}
			now += 100 * time.Millisecond * time.Duration(1+rng.IntN(2))
		}
	}
}
