package balancer

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// A dear table is made by whoever runs the pool, while calls go by the one
// before; where nobody does, it is made at once.
func TestDearTablesFollow(t *testing.T) {
	for name, attended := range map[string]bool{"run": true, "not run": false} {
		t.Run(name, func(t *testing.T) {
			p, err := NewPool(PoolConfig{Balancing: Balancing{Policy: Maglev{TableSize: 65537}}, Protection: Protection{Off: true}})
			if err != nil {
				t.Fatal(err)
			}
			p.judge.inbox.attended.Store(attended)
			s := fixture.Snapshot("orders", dearNodes+2)
			p.Update(s, time.Hour)
			s.Instances = s.Instances[1:]
			choice := p.Update(s, time.Hour+time.Second).Choice(discovery.HTTP)
			want := Normal
			if attended {
				want = Fallback
			}
			if got := choice.Mode(); got != want {
				t.Fatalf("mode is %v, want %v", got, want)
			}
			if n := choice.Picker.Pick(Request{Key: "k"}); n == nil || n == p.members[0] {
				t.Error("meanwhile nobody is chosen, or one that left")
			}
			p.judge.inbox.work()
			if got := choice.Mode(); got != Normal {
				t.Errorf("then mode is %v", got)
			}
		})
	}
}

// A node that fails is looked at after five failures, and, since there may not
// have been room to eject it, after ten, but not at each. While outlier detection
// is off nobody is looked at but suspects.
func TestWhenANodeIsLookedAt(t *testing.T) {
	for _, tt := range []struct {
		name    string
		config  OutlierDetection
		suspect bool
		result  Result
		calls   int
		looks   int // of those that each call may begin
	}{
		{"each fifth failure", OutlierDetection{}, false, Failure, 19, 3},
		{"each second", OutlierDetection{ConsecutiveFailures: 2}, false, Failure, 9, 4},
		{"none", OutlierDetection{ConsecutiveFailures: -1}, false, Failure, 20, 0},
		{"each refusal", OutlierDetection{ConsecutiveFailures: -1}, false, Unreachable, 3, 3},
		{"no failure while it is off", OutlierDetection{Off: true}, false, Failure, 20, 0},
		{"no refusal either", OutlierDetection{Off: true}, false, Unreachable, 20, 0},
		{"nor who cannot be trusted", OutlierDetection{Off: true}, false, Untrusted, 20, 0},
		{"but a suspect that refuses", OutlierDetection{Off: true}, true, Unreachable, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewPool(PoolConfig{Balancing: Balancing{OutlierDetection: tt.config}})
			if err != nil {
				t.Fatal(err)
			}
			n := p.Update(fixture.Snapshot("orders", 3), time.Hour).Nodes[0]
			if tt.suspect {
				n.suspect(time.Hour)
			}
			looks := 0
			for range tt.calls {
				n.Start(time.Hour).Done(time.Hour, tt.result)
				for _, n := range p.judge.inbox.take() { // and there is no room
					looks++
					n.signals.Store(0)
				}
			}
			if looks != tt.looks {
				t.Errorf("it was looked at %d times, want %d", looks, tt.looks)
			}
		})
	}
}
