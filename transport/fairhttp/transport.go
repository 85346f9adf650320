package fairhttp

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/callback"
	"github.com/fairlead-go/fairlead/transport"
)

// Scheme is that of URLs whose host is the name of a service.
const Scheme = "mesh"

// Transport is an [http.RoundTripper] that governs what is addressed to a
// service and passes on the rest. It is safe for concurrent use and made by
// [New] or [Config].Transport.
type Transport struct {
	mesh   *transport.Mesh
	base   http.RoundTripper // for what is not governed
	config Config
	logger *slog.Logger
	hosts  map[string]string // declared hosts and their services
	scheme string            // of mesh:// on the wire
	fixed  *fixed            // the one host that is governed; nil: services are

	// Either model or shared is set: what the transport of each instance is
	// cloned from, or the one base of all.
	model  *http.Transport
	dialer net.Dialer // where the model has none
	shared *leaf

	tracers  sync.Pool // of *tracer
	totals   totals
	fallback callback.Callback // of config.Fallback
	churning atomic.Bool

	// services is copied on write: a call finds its service with one load.
	services atomic.Pointer[map[string]*service]

	ctx    context.Context // ends with Close; the root of the services' goroutines
	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu     sync.Mutex // guards services for writing and closed
	closed bool
}

// newTransport makes one for services, or for a fixed host.
func newTransport(mesh *transport.Mesh, base http.RoundTripper, config Config, f *fixed) *Transport {
	defaulted := base == nil
	if defaulted {
		base = http.DefaultTransport
	}
	t := &Transport{
		mesh: mesh, base: base, config: config, fixed: f, logger: config.logger(),
		hosts:  make(map[string]string, len(config.Hosts)),
		scheme: "http",
	}
	if config.TLS != nil {
		t.scheme = "https"
	}
	for _, host := range config.Hosts {
		t.hosts[host], _ = serviceOf(host) // validated
	}
	t.fallback.Name, t.fallback.Logger = "fallback", t.logger
	t.tracers.New = func() any { return newTracer() }
	if own, ok := base.(*http.Transport); ok {
		t.model = modelOf(own, config)
		if f != nil {
			t.model.Proxy = own.Proxy // the host is asked for as by any client
		}
		if defaulted {
			t.model.DialContext, t.dialer = nil, defaultDialer()
		}
	} else {
		t.shared = newSharedLeaf(base, mesh.Reach().Hostnames)
		t.shared.fixed = f != nil
	}
	t.services.Store(&map[string]*service{})
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// RoundTrip implements [http.RoundTripper]. The error of a governed request is
// a [*transport.Error].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	name, scheme, governed := t.governs(req.URL)
	if !governed {
		return t.base.RoundTrip(req)
	}
	x := newExchange(t, req, name, scheme)
	err := x.prepare()
	if err == nil {
		err = t.mesh.Do(req.Context(), &x.call, x)
	}
	x.finish()
	if err = x.rescue(err); err != nil {
		x.Discard()
		if i, ok := errors.AsType[*transport.Injected](err); ok {
			return injected(req, i), nil
		}
		return nil, err
	}
	return x.response, nil
}

// governs reports whether a URL names a service, which one, and the scheme to
// speak there.
func (t *Transport) governs(u *url.URL) (name, scheme string, governed bool) {
	switch {
	case u == nil:
		return "", "", false
	case t.fixed != nil:
		return t.fixed.service, u.Scheme, t.fixed.is(u)
	case u.Scheme == Scheme:
		return u.Host, t.scheme, true
	case len(t.hosts) == 0 || u.Scheme != "http" && u.Scheme != "https":
		return "", "", false
	}
	name, governed = t.hosts[u.Host]
	return name, u.Scheme, governed
}

// service returns what is kept of the service that u names, from its first
// use on.
func (t *Transport) service(name string, u *url.URL) (*service, error) {
	if s, ok := (*t.services.Load())[name]; ok {
		return s, nil
	}
	if u.Scheme == Scheme {
		if err := checkURL(u); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, transport.ErrClosed
	}
	services := *t.services.Load()
	if s, ok := services[name]; ok {
		return s, nil
	}
	s, err := openService(t, name)
	if err != nil {
		return nil, err
	}
	services = maps.Clone(services)
	services[name] = s
	t.services.Store(&services)
	return s, nil
}

// CloseIdleConnections closes what is not in use, of the base and of all
// instances, as [http.Client.CloseIdleConnections] asks. It disturbs no call.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(idleCloser); ok {
		base.CloseIdleConnections()
	}
	for _, s := range *t.services.Load() {
		s.each(func(l *leaf) { l.current.Load().closeIdle() })
	}
}

type idleCloser interface{ CloseIdleConnections() }

// Close ends the goroutines that follow the services and waits for them, and
// closes the connections to instances as their calls end. Governed requests
// that come later fail with [transport.ErrClosed]; those on their way are not
// disturbed, nor is the base. It is for programs that outlive the transport:
// Close of the mesh ends the same goroutines. That of a [Fixed] has a mesh of its
// own, which ends as well. A second Close does nothing.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.services.Store(&map[string]*service{})
	t.mu.Unlock()
	t.cancel()
	t.loops.Wait()
	if t.fixed != nil {
		return t.mesh.Close(context.Background()) // which has nothing to wait for but its own goroutines
	}
	return nil
}

// checkURL refuses what a mesh URL cannot have.
func checkURL(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Host == "":
		return &discovery.FieldError{Field: "URL", Value: u.Redacted(), Allowed: "mesh://service/path"}
	case u.Port() != "":
		return &discovery.FieldError{Field: "URL.Host", Value: u.Host, Allowed: "the name of a service without a port, which the registry knows"}
	default:
		return discovery.ValidateService(u.Host)
	}
}
