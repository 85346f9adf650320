package balancer

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// The third is any of the others, also within a part that gets few of the calls:
// the part was drawn from the upper bits of the same mixture.
func TestTheThirdIsDrawnFromAllOfAPart(t *testing.T) {
	p := &p2cEWMA{}
	for i := range 10 {
		p.nodes = append(p.nodes, NewNode(discovery.Instance{ID: strconv.Itoa(i)}, i))
	}
	for range 5 {
		p.nodes[0].Start(time.Hour)
	}
	bits, got := rand.New(rand.NewPCG(1, 2)), map[*Node]int{}
	for calls := 0; calls < 1000; {
		r := Request{Now: time.Hour, Rand: bits.Uint64()}
		if mix(r.Rand)>>32 < 1<<32/50 {
			got[p.third(0, 1, r)]++
			calls++
		}
	}
	for _, n := range p.nodes[2:] {
		if got[n] < 60 {
			t.Errorf("node %s is the third of %d of 1000 calls, its share is 125", n.ID(), got[n])
		}
	}
}
