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
