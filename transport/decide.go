package transport

import (
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// decide settles by which rules a call goes, for all of its attempts.
func (c *course) decide(call *Call) {
	call.decided, call.key, call.given = true, call.Key, call.Priority
	if c.table == nil || call.Probe {
		call.plan = c.plans.of(nil)
		call.plan.imprint(call)
		return
	}
	request := call.Request
	if request == nil {
		request = bare{call.Protocol, call.Method, call.Key, call.service.mesh.Caller()}
	}
	call.bits = rand.Uint64()
	d := c.table.Decide(request, call.bits)
	call.table, call.route, call.narrowing, call.plan = c.table, d.Route, d.Narrowing, c.plans.of(d.Route)
	call.plan.imprint(call)
	if key := c.table.HashKey(request); key != "" {
		call.Key = key
	}
}

// random returns bits for a pick. For the first they are drawn from those that
// chose the destination, by the finaliser of SplitMix64 (Steele, Lea and Flood,
// 2014), so that the two choices have nothing to do with each other.
func (c *Call) random() uint64 {
	z := c.bits
	if z == 0 {
		return rand.Uint64()
	}
	c.bits = 0
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// bare is what rules see of a call whose door shows them nothing more. It has
// no pointer to the call, which would then have to be on the heap.
type bare struct {
	protocol            discovery.Protocol
	method, key, caller string
}

func (b bare) Method() string {
	if b.protocol == discovery.GRPC {
		return "POST"
	}
	return b.method
}

func (b bare) Path() string {
	if b.protocol == discovery.GRPC {
		return b.method
	}
	return ""
}

func (bare) Header(rule.Header) (string, bool) { return "", false }
func (bare) Query(string) (string, bool)       { return "", false }
func (b bare) Caller() string                  { return b.caller }
func (bare) Baggage(string) (string, bool)     { return "", false }
func (b bare) Key() string                     { return b.key }

// WithCaller names the service that this process calls others as, for rules
// that ask for it. The default is the first service that it registers.
func WithCaller(service string) Option { return func(o *options) { o.caller = service } }

// Caller returns the name of the service that calls, "" if it is not known.
func (m *Mesh) Caller() string {
	if name := m.caller.Load(); name != nil {
		return *name
	}
	return ""
}
