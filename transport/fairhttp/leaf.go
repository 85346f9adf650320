package fairhttp

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// leaf is one instance's share of the connections: its current transport and
// what attempts showed of it. Or it is the one base of all instances.
type leaf struct {
	node    *balancer.Node // nil: of all instances
	current atomic.Pointer[generation]
	host    string               // what its requests' URLs say
	spares  spares               // dialled ahead
	apart   atomic.Pointer[leaf] // for sheddable calls; nil: there were none
	bulk    bool                 // it is such a leaf
	// hostnames says that a shared leaf may be given some, fixed that its requests
	// go where their URLs say.
	hostnames, fixed bool

	http2 atomic.Bool  // what its connections speak, as soon as one is known to
	loss  atomic.Int64 // see wary

	_        [64]byte // what follows is written by every call
	attempts atomic.Int64
	churn    churn
}

// generation is one transport of a leaf, from when it became current until its
// last call has ended.
type generation struct {
	base    http.RoundTripper
	born    time.Time
	expires time.Time
	retired atomic.Bool
	_       [64]byte     // what follows is written by every call
	users   atomic.Int64 // attempts that are not over
	answers atomic.Int64 // responses, to tell a slow handler from a dead connection
	_       [64]byte
}

// newSharedLeaf returns the leaf of a base that is shared by all instances.
func newSharedLeaf(base http.RoundTripper, hostnames bool) *leaf {
	l := &leaf{hostnames: hostnames}
	l.current.Store(&generation{base: base})
	return l
}

func (l *leaf) isShared() bool { return l.node == nil }

var (
	errUnixOverShared = errors.New("the instance is reached by a unix socket, which takes a base that is nil or an *http.Transport")
	errNameOverShared = errors.New("the instance is reached by a host name, whose address can be checked only over a base that is nil or an *http.Transport")
)

// hostOf returns what the URL of a request to node says. A unix socket has no
// name of its own: its leaf dials it whatever the URL says.
func (l *leaf) hostOf(n *balancer.Node) (string, error) {
	if !l.isShared() || l.fixed {
		return l.host, nil
	}
	addr := n.Endpoint(discovery.HTTP)
	if strings.HasPrefix(addr, "unix:") {
		return "", errUnixOverShared
	}
	if l.hostnames {
		if _, err := netip.ParseAddrPort(addr); err != nil {
			return "", errNameOverShared
		}
	}
	return addr, nil
}

// use returns the current generation, counted as used until its release.
func (l *leaf) use() *generation {
	g := l.current.Load()
	g.users.Add(1)
	return g
}

func (g *generation) release() {
	if g.users.Add(-1) == 0 && g.retired.Load() {
		g.closeIdle()
	}
}

// retire lets a generation end with its last call.
func (g *generation) retire() {
	g.retired.Store(true)
	g.closeIdle()
}

func (g *generation) closeIdle() {
	if c, ok := g.base.(idleCloser); ok {
		c.CloseIdleConnections()
	}
}

// grow makes a leaf of an instance.
func (s *service) grow(n *balancer.Node, bulk bool) *leaf {
	l := &leaf{node: n, bulk: bulk}
	network, addr := "tcp", n.Endpoint(discovery.HTTP)
	l.host = addr
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr, l.host = "unix", socket, s.name
	}
	l.spares.life = spareLife
	l.spares.dial = func(ctx context.Context) (net.Conn, error) { return s.dial(ctx, network, addr) }
	l.http2.Store(!s.transport.model.Protocols.HTTP1())
	l.current.Store(s.generation(l))
	return l
}

// generation makes a transport for a leaf.
func (s *service) generation(l *leaf) *generation {
	h := s.transport.model.Clone()
	fixed := s.transport.fixed != nil
	if h.TLSClientConfig.ServerName == "" && !fixed { // net/http takes that of the URL
		h.TLSClientConfig.ServerName = s.name
	}
	h.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if fixed { // of the URL, or of a proxy
			return s.dial(ctx, network, addr)
		}
		if conn := l.spares.take(); conn != nil {
			return conn, nil
		}
		return l.spares.dial(ctx)
	}
	if dial := h.DialTLSContext; dial != nil {
		h.DialTLSContext = s.checked(dial)
	}
	if l.bulk {
		limitApart(h)
	}
	// Instances that appeared together do not renew together.
	age := s.transport.maxConnAge()
	age -= rand.N(age/5 + 1)
	now := time.Now()
	return &generation{base: h, born: now, expires: now.Add(age)}
}

// saw takes note of how an attempt to node n got its connections.
func (t *Transport) saw(l *leaf, n *balancer.Node, seen sightings) {
	attempts := l.attempts.Add(1)
	if seen.http2 && !l.http2.Load() {
		l.http2.Store(true)
	}
	if seen.got > 1 {
		t.totals.replays.Add(int64(seen.got - 1))
		l.lost()
	}
	if seen.fresh == 0 {
		return
	}
	t.totals.connections.Add(int64(seen.fresh))
	if l.bulk {
		return // that its pool is small is no news
	}
	peer := 0
	if l.isShared() {
		peer = n.Index()
	}
	if l.churn.made(seen.fresh, peer, attempts) && t.churning.CompareAndSwap(false, true) {
		t.logger.Warn("fairlead: more than a fifth of the HTTP attempts needs a new connection; raise the idle connections per host, or let the servers keep theirs open",
			"instance", n.ID(), "attempts", attempts, "sharedBase", l.isShared())
	}
}

// timedOut is told that nothing came back from g in time. If nothing else has
// been answered since the attempt began either, an HTTP/2 connection is taken
// for dead and its generation replaced, at most once a second.
func (s *service) timedOut(l *leaf, g *generation, answersBefore int64) {
	if !l.isShared() && l.http2.Load() && g.answers.Load() == answersBefore && time.Since(g.born) > time.Second {
		s.renew(l, g)
	}
}
