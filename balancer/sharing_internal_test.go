package balancer

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

const cacheLine = 64

// What calls write is on no line with anything else, wherever it is put.
func TestCountersHaveALineOfTheirOwn(t *testing.T) {
	robin, turns := new(roundRobin), new(rotation)
	tests := []struct {
		name              string
		size, last, other uintptr // other is the field before
	}{
		{"round robin", unsafe.Sizeof(*robin), unsafe.Offsetof(robin.last), unsafe.Offsetof(robin.nodes) + unsafe.Sizeof(robin.nodes)},
		{"rotation", unsafe.Sizeof(*turns), unsafe.Offsetof(turns.last), unsafe.Offsetof(turns.mode) + unsafe.Sizeof(turns.mode)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if before, after := tt.last-tt.other, tt.size-tt.last; before < cacheLine || after < cacheLine {
				t.Errorf("there are %d bytes before the counter and %d from it on", before, after)
			}
		})
	}
}

// Nodes that a pool makes one after the other share no line either.
func TestNodesOfAPoolShareNoLine(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("pointers are shorter here, and so are nodes")
	}
	pool, err := NewPool(PoolConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := discovery.Snapshot{State: discovery.Live}
	for i := range 1000 {
		s.Instances = append(s.Instances, &discovery.Instance{ID: fmt.Sprintf("%04d", i), Addr: "10.0.0.1:80"})
	}
	owner := map[uintptr]string{}
	for _, n := range pool.Update(s, 0).Nodes {
		first := uintptr(unsafe.Pointer(n))
		for line := first / cacheLine; line <= (first+unsafe.Sizeof(*n)-1)/cacheLine; line++ {
			if other, taken := owner[line]; taken {
				t.Fatalf("%s is on a line with %s", n.ID(), other)
			}
			owner[line] = n.ID()
		}
	}
}

// BenchmarkPickSharing shows what it buys that no two nodes share a cache line:
// the same choice and the same tickets over the same nodes, once as they are,
// and once pushed together so that what calls write of two nodes is on one line.
//
// Where all callers choose among the same nodes it buys little, since they take
// the lines from each other anyway. Where they call two services, whose nodes
// the allocator has put side by side, they have nothing in common but the lines.
// Both need two processors (-cpu 2).
func BenchmarkPickSharing(b *testing.B) {
	const most = 16
	var apart []*Node
	for range most {
		apart = append(apart, NewNode(discovery.Instance{}, 0))
	}
	pushed := together(most)
	for _, services := range []int{1, 2} {
		for _, size := range []int{2, 4, 8} {
			for _, layout := range []struct {
				name  string
				nodes []*Node
			}{{"own", apart}, {"shared", pushed}} {
				b.Run(fmt.Sprintf("services=%d/nodes=%d/lines=%s", services, size, layout.name), func(b *testing.B) {
					pickers := make([]Picker, services)
					for i := range pickers {
						var nodes []*Node
						for n := range size {
							nodes = append(nodes, layout.nodes[n*services+i])
						}
						pickers[i] = P2CEWMA{}.Picker(Among(nodes...))
					}
					var callers atomic.Uint32
					cputime.Start(b)
					b.RunParallel(func(pb *testing.PB) {
						picker := pickers[int(callers.Add(1))%services]
						for pb.Next() {
							now := Now()
							node := picker.Pick(Request{Now: now, Rand: rand.Uint64()})
							node.Start(now).Done(Now(), Success)
						}
					})
				})
			}
		}
	}
}

// together returns nodes of which only the first words are there, two to a line:
// the rest of each lies under the next. Nothing else of them may be used, and no
// more than three calls may be outstanding on one.
func together(size int) []*Node {
	type words [cacheLine / 2]byte
	memory := make([]words, size+int(unsafe.Sizeof(Node{})/unsafe.Sizeof(words{})))
	nodes := make([]*Node, size)
	for i := range nodes {
		nodes[i] = (*Node)(unsafe.Pointer(&memory[i]))
		nodes[i].perWeight.Store(bitsOfOne)
	}
	return nodes
}
