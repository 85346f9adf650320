package fairgrpc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/connectivity"
)

// Each node has the child that a map of all would give it, and nobody else has
// one, whether all instances of a service are connected to or few of them. The
// table is no longer than twice what is in it, and a look-up short.
func TestChildrenOfManyAndOfFew(t *testing.T) {
	const all = 2000
	var ids []string
	for n := range all {
		ids = append(ids, fmt.Sprintf("i%04d", n))
	}
	_, nodes := bench(t, ids...)
	rnd := rand.New(rand.NewPCG(5, 7))
	for _, count := range []int{0, 1, 2, 3, 100, 1000, 1999, all} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			in := map[int]error{}
			var states []endpointsharding.ChildState
			for _, n := range rnd.Perm(all)[:count] {
				in[n] = errors.New(ids[n])
				states = append(states, childOf(nodes[n], connectivity.Connecting, broken{in[n]}))
			}
			c := newChildren(states, false)
			if len(c.places) > max(2*count, 1) || count == all && c.behind > 0 || c.behind > 100 {
				t.Errorf("%d places, the furthest %d behind its own", len(c.places), c.behind)
			}
			for n := range all {
				got := c.child(nodes[n])
				if in[n] == nil && got != nil || in[n] != nil && (got == nil || got.node != nodes[n] || got.picker.(broken).err != in[n]) {
					t.Fatalf("the child of %s is %+v", ids[n], got)
				}
			}
		})
	}
}

// An instance whose connection was ready once, or failed, is known, and of one that
// takes long it is known that it does: a call may go to the fallback instead.
func TestGateIsOpeningUntilSomethingIsKnown(t *testing.T) {
	_, nodes := bench(t, "a", "b")
	for _, tt := range []struct {
		name string
		a    connectivity.State // of an earlier state
		then connectivity.State
		ago  time.Duration // it began
		want bool
	}{
		{"connecting for the first time", connectivity.Idle, connectivity.Connecting, 0, true},
		{"for a second", connectivity.Idle, connectivity.Connecting, 2 * time.Second, false},
		{"failed before", connectivity.TransientFailure, connectivity.Connecting, 0, false},
		{"ready before", connectivity.Ready, connectivity.Connecting, 0, false},
		{"failed", connectivity.Connecting, connectivity.TransientFailure, 0, false},
	} {
		a := childOf(nodes[0], tt.a, broken{})
		instancesAt(a.Endpoint).opening.began -= tt.ago
		pickerOf(nil, []endpointsharding.ChildState{a})
		a.State.ConnectivityState = tt.then
		g := gate{picker: pickerOf(nil, []endpointsharding.ChildState{a})}
		g.Ready(nodes[1]) // which the channel has not heard of
		if g.Ready(nodes[0]); g.Opening() != tt.want {
			t.Errorf("%s: opening is %t", tt.name, g.Opening())
		}
	}
}
