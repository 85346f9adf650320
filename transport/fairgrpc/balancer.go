package fairgrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

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
	p := &policy{ClientConn: cc}
	p.children = endpointsharding.NewBalancer(p, o, grpcbalancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return p
}

// policy is the balancer of one channel. It keeps no memory of instances:
// that lives in their nodes, whatever channels come and go.
type policy struct {
	grpcbalancer.ClientConn // embedded to catch the children's UpdateState
	children                grpcbalancer.Balancer
	bound                   *bound // set before there are children, then fixed
	counted                 transport.Connections
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
		p.ClientConn.UpdateState(grpcbalancer.State{ConnectivityState: connectivity.TransientFailure, Picker: base.NewErrPicker(errNotOurs)})
		return errNotOurs
	}
	if p.bound == nil {
		p.bound = b
	}
	err := p.children.UpdateClientConnState(grpcbalancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(s.ResolverState)})
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
	p.count(states)
	s.Picker = newPicker(p.bound, states)
	p.ClientConn.UpdateState(s)
}

// count tells the mesh what has become of the connections.
func (p *policy) count(states []endpointsharding.ChildState) {
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
	p.bound.door.mesh.CountConnections(p.bound.service, p.counted, now)
	p.counted = now
}

// ResolverError changes nothing where there is a list, unless it has a status:
// then it is final, and calls that wait for somebody to be ready end with it.
func (p *policy) ResolverError(err error) {
	p.children.ResolverError(err)
	if _, final := err.(interface{ GRPCStatus() *status.Status }); final {
		p.ClientConn.UpdateState(grpcbalancer.State{ConnectivityState: connectivity.TransientFailure, Picker: base.NewErrPicker(err)})
	}
}

// UpdateSubConnState is not used: the children have listeners.
func (p *policy) UpdateSubConnState(grpcbalancer.SubConn, grpcbalancer.SubConnState) {}

func (p *policy) ExitIdle() { p.children.ExitIdle() }

// Close ends the children's calls of UpdateState before it counts for the last
// time.
func (p *policy) Close() {
	p.children.Close()
	if p.bound != nil {
		p.count(nil)
	}
}
