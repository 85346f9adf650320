package fairgrpc

import (
	"cmp"
	"sync/atomic"
	"time"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/resolver"

	"github.com/fairlead-go/fairlead/balancer"
)

const (
	// apartIdle is for how long connections for sheddable calls are kept after the
	// last of these. Bulk traffic comes in bursts.
	apartIdle = 2 * time.Minute
	// apartNoted is how exactly that is known: calls write the time no more often.
	apartNoted = 5 * time.Second
)

// apart says whether a channel has connections of their own for its sheddable calls,
// one more to each instance, so that these hold up no other: neither by the streams
// that a connection may have nor by its windows and packets. There are none before
// the first such call; it, and those until one is ready, take the connection of all.
type apart struct {
	last atomic.Int64 // when there was such a call, by balancer.Now; 0: no connections
	part func()       // has them made; does not wait. nil: they cannot be
}

// note takes note of a sheddable call.
func (a *apart) note() {
	now, last := int64(balancer.Now()), a.last.Load()
	if a.part == nil || last != 0 && now-last < int64(apartNoted) {
		return
	}
	if a.last.Swap(cmp.Or(now, 1)) == 0 {
		a.part()
	}
}

func (a *apart) is() bool { return a.last.Load() != 0 }

// end ends the time of the connections if there was no such call for long, and returns
// what is left of it otherwise.
func (a *apart) end() (left time.Duration) {
	for {
		last := a.last.Load()
		if left = time.Duration(last) + apartIdle - balancer.Now(); left > 0 || a.last.CompareAndSwap(last, 0) {
			return max(left, 0)
		}
	}
}

// part begins the time of the connections apart.
func (f *follower) part() {
	f.renew()
	f.rejoin(apartIdle)
}

// rejoin ends it, after a while and once it is over.
func (f *follower) rejoin(after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.parted = time.AfterFunc(after, func() {
		if left := f.apart.end(); left > 0 {
			f.rejoin(left)
		} else {
			f.renew()
		}
	})
}

// asideConn is what the balancer of the connections apart takes for its channel.
type asideConn struct {
	grpcbalancer.ClientConn
	policy *policy
}

// UpdateState is called by endpointsharding, as that of the policy is.
func (c asideConn) UpdateState(s grpcbalancer.State) {
	c.policy.updateAside(endpointsharding.ChildStatesFromPicker(s.Picker))
}

// part keeps connections apart, for as long as there are sheddable calls.
func (p *policy) part(s resolver.State) {
	switch is := p.bound.apart.is(); {
	case is:
		if p.aside == nil {
			p.aside = newSharding(asideConn{p.ClientConn, p}, p.options)
		}
		// The error says that the list is empty, as the others know.
		_ = p.aside.UpdateClientConnState(grpcbalancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(stateAside(s))})
	case p.aside != nil:
		p.aside.Close()
		p.aside = nil
		p.updateAside(nil)
	}
}

// stateAside is the list with the numbers of the connections apart.
func stateAside(s resolver.State) resolver.State {
	endpoints := make([]resolver.Endpoint, len(s.Endpoints))
	for n, e := range s.Endpoints {
		a := e.Addresses[0]
		a.Attributes = a.Attributes.WithValue(connectionKey{}, instancesAt(e).aside.number.Load())
		endpoints[n] = resolver.Endpoint{Addresses: []resolver.Address{a}, Attributes: e.Attributes}
	}
	s.Endpoints = endpoints
	return s
}
