package fairgrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/transport"
)

const (
	policyName    = "fairlead"
	serviceConfig = `{"loadBalancingConfig":[{"` + policyName + `":{}}]}`
)

// gRPC finds balancers by name in a map of the process that nothing guards, so
// this has to happen here, once, before anybody dials. It is the only init of
// the library, and what it registers has no state.
func init() { grpcbalancer.Register(policyBuilder{}) }

type policyBuilder struct{}

func (policyBuilder) Name() string { return policyName }

// config is the balancer's part of a service config; there is nothing to
// configure yet.
type config struct {
	serviceconfig.LoadBalancingConfig `json:"-"`
}

func (policyBuilder) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	c := new(config)
	d := json.NewDecoder(bytes.NewReader(js))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("balancer %s: config %s is invalid: allowed is {}: %w", policyName, js, err)
	}
	return c, nil
}

// Build follows balancer/leastrequest of gRPC: endpointsharding keeps a
// pick_first child per address, so that connecting, backoff and health checks
// are gRPC's own, and the policy only chooses among the children.
func (policyBuilder) Build(cc grpcbalancer.ClientConn, o grpcbalancer.BuildOptions) grpcbalancer.Balancer {
	p := &policy{ClientConn: cc, options: o}
	p.children = newSharding(p, o)
	return p
}

func newSharding(cc grpcbalancer.ClientConn, o grpcbalancer.BuildOptions) grpcbalancer.Balancer {
	return endpointsharding.NewBalancer(cc, o, grpcbalancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
}

// policy is the balancer of one channel. It keeps no memory of instances:
// that lives in their nodes, whatever channels come and go.
type policy struct {
	grpcbalancer.ClientConn // embedded to catch the children's UpdateState
	options                 grpcbalancer.BuildOptions
	children                grpcbalancer.Balancer
	aside                   grpcbalancer.Balancer // of the connections for sheddable calls; nil: there are none
	bound                   *bound                // set before there are children, then fixed
	counted, countedAside   transport.Connections

	mu      sync.Mutex         // guards the rest, and lets one state at a time go to gRPC
	current grpcbalancer.State // as gRPC has it; no picker: there is none of ours
	again   *time.Timer        // publishes current again; nil: nothing to wait for
	ended   bool               // finally: what connections do says nothing any more
	tables  struct{ all, aside children }
}

var errNotOurs = errors.New("the balancer fairlead serves targets mesh:///service, with no proxy of the environment between: use fairgrpc.DialOptions, or set NO_PROXY")

// UpdateClientConnState takes the list of a follower. An empty one is
// knowledge as good as any: calls then fail, or wait for the next list.
func (p *policy) UpdateClientConnState(s grpcbalancer.ClientConnState) error {
	b, ok := s.ResolverState.Attributes.Value(boundKey{}).(*bound)
	for _, e := range s.ResolverState.Endpoints {
		ok = ok && instancesAt(e) != nil
	}
	if !ok {
		p.replace(base.NewErrPicker(errNotOurs), false)
		return errNotOurs
	}
	if p.bound == nil {
		p.bound = b
	}
	err := p.children.UpdateClientConnState(grpcbalancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(s.ResolverState)})
	p.part(s.ResolverState)
	if len(s.ResolverState.Endpoints) == 0 {
		return nil
	}
	return err
}

func instancesAt(e resolver.Endpoint) *instances {
	i, _ := e.Attributes.Value(instancesKey{}).(*instances)
	return i
}

// UpdateState is called by endpointsharding, one call at a time, whenever a
// child's state has changed.
func (p *policy) UpdateState(s grpcbalancer.State) {
	if p.bound == nil {
		return // no list of ours was ever given; the picker says so
	}
	states := endpointsharding.ChildStatesFromPicker(s.Picker)
	tell(states)
	p.count(&p.counted, states)
	all := newChildren(states, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.tables.all = all
	p.current.ConnectivityState = s.ConnectivityState
	p.turn()
}

// updateAside is UpdateState for the connections apart. What has become of them says
// nothing of the instances, which others tell of, nor of the channel.
func (p *policy) updateAside(states []endpointsharding.ChildState) {
	p.count(&p.countedAside, states)
	aside := newChildren(states, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tables.aside = aside
	if p.current.Picker != nil {
		p.turn()
	}
}

// turn gives gRPC a picker over the connections as they are. It is called with the
// lock.
func (p *policy) turn() {
	p.current.Picker = &picker{p.bound, p.tables.all, p.tables.aside}
	p.publish()
}

// publish lets the calls that wait be picked for, now and whenever an opening is
// over: gRPC asks again only when it is given a picker, and none comes from an
// instance that never answers. It is called with the lock.
func (p *policy) publish() {
	p.stop()
	p.ClientConn.UpdateState(p.current)
	if left := p.current.Picker.(*picker).left(); left > 0 {
		p.again = time.AfterFunc(left, p.republish)
	}
}

func (p *policy) republish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current.Picker != nil {
		p.publish()
	}
}

func (p *policy) stop() {
	if p.again != nil {
		p.again.Stop()
		p.again = nil
	}
}

// replace gives gRPC a picker that is none of ours, and finally the last one.
func (p *policy) replace(by grpcbalancer.Picker, finally bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	p.ended = p.ended || finally
	p.current = grpcbalancer.State{}
	p.ClientConn.UpdateState(grpcbalancer.State{ConnectivityState: connectivity.TransientFailure, Picker: by})
}

// count tells the mesh what has become of connections.
func (p *policy) count(counted *transport.Connections, states []endpointsharding.ChildState) {
	var now transport.Connections
	for _, s := range states {
		switch s.State.ConnectivityState {
		case connectivity.Ready:
			now.Ready++
		case connectivity.Connecting:
			now.Connecting++
		case connectivity.TransientFailure:
			now.Failed++
		default:
			now.Idle++
		}
	}
	p.bound.door.mesh.CountConnections(p.bound.service, *counted, now)
	*counted = now
}

// ResolverError changes nothing where there is a list, unless it has a status:
// then it is final, and calls that wait for somebody to be ready end with it.
func (p *policy) ResolverError(err error) {
	p.children.ResolverError(err)
	if _, final := err.(interface{ GRPCStatus() *status.Status }); final {
		p.replace(base.NewErrPicker(err), true)
	}
}

// UpdateSubConnState is not used: the children have listeners.
func (p *policy) UpdateSubConnState(grpcbalancer.SubConn, grpcbalancer.SubConnState) {}

func (p *policy) ExitIdle() { p.children.ExitIdle() }

// Close ends the children's calls of UpdateState before it counts for the last
// time.
func (p *policy) Close() {
	p.children.Close()
	if p.aside != nil {
		p.aside.Close()
	}
	p.mu.Lock()
	p.stop()
	p.current = grpcbalancer.State{}
	p.mu.Unlock()
	if p.bound != nil {
		p.count(&p.counted, nil)
		p.count(&p.countedAside, nil)
	}
}
