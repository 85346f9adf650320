package fairhttp

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// What a zero field of Config means where the base has no opinion.
const (
	defaultMaxIdle    = 256
	defaultMaxConnAge = 15 * time.Minute
)

// mostPrewarm keeps a typing error from dialling a thousand connections to
// each of a thousand instances.
const mostPrewarm = 64

// Config says more than [New] does. The zero value is what New uses.
//
// All fields but Hosts, ReadIdleTimeout, SendTimeout, SendCaller, Fallback and Logger
// shape the connections to instances; they need a base that is nil or an [*http.Transport].
type Config struct {
	// Hosts are the hosts of http and https URLs that name a service, as they
	// stand in the URL: "orders", or "orders:8080" where the URL has a port.
	Hosts []string
	// TLS makes mesh:// speak https and says what to trust and to present. Its
	// ServerName, where it is empty, is the service's name. nil: mesh:// is
	// plaintext, and https:// hosts use the base's TLSClientConfig, or its
	// DialTLSContext, which is then on its own.
	TLS *tls.Config
	// Protocols are those to speak; for HTTP/2 without TLS it holds
	// UnencryptedHTTP2 and not HTTP1. nil: those of the base.
	Protocols *http.Protocols
	// MaxIdle is how many idle connections are kept per instance. 0: the
	// base's MaxIdleConnsPerHost, or 256 where it has none.
	MaxIdle int
	// MaxConns is how many connections an instance may have at all, and as many for
	// sheddable calls; calls beyond wait for one. 0: the base's MaxConnsPerHost.
	MaxConns int
	// IdleTimeout closes connections not used for so long. 0: the base's.
	IdleTimeout time.Duration
	// MaxConnAge is how long a connection is given new requests, so that
	// rotated certificates and changed routes take effect; each instance's
	// turn comes up to a fifth sooner. 0: 15 minutes.
	MaxConnAge time.Duration
	// Prewarm is how many connections are dialled to an instance when it
	// appears, to be there for its first calls, if it is of those that are called
	// (see [balancer.Subset]). The server sees them as idle; those not used within
	// seconds are closed. At most 64.
	Prewarm int
	// ConnectTimeout is how long an address may take to answer before the attempt goes
	// elsewhere, without TLS. It does not hold for a DialContext of the base's own. 0:
	// 250 ms; give more where instances are further away than half of that.
	ConnectTimeout time.Duration
	// ReadIdleTimeout is how long a read of an answer's body may wait for the next
	// byte. A body that stalls for longer fails with [ErrStalled], which counts
	// against its instance as a timeout, and its connection is not used again. It is
	// apart from the time of an attempt, which ends where the answer begins, and
	// does not hold for event streams and upgraded connections, which may be silent
	// for as long as they please. 0: as long as the call has.
	ReadIdleTimeout time.Duration
	// SendTimeout tells servers how long the caller still waits, in the [Timeout]
	// header, where that is bounded: the call's time, also where the attempt has less,
	// since the body of an answer has all of it. Event streams and upgrades tell
	// nothing. It costs a copy of the request's header. See [TrustTimeout] for the
	// other side.
	SendTimeout bool
	// SendCaller tells servers which service calls, as far as the mesh knows (see
	// [transport.WithCaller]), in the [Caller] header: for the limits that rules set
	// them per caller. It costs a copy of the request's header.
	SendCaller bool
	// Fallback is asked for what a caller gets in place of a failure of the
	// service, once no attempt is left and the rules have nothing either: it sees
	// the answer that is a failure, or the error. What it returns takes its place;
	// nil and no error leave it. The failed answer is closed, unless it, or its body,
	// is what is returned. It is not asked for a caller that has given up. A
	// panic leaves the failure as it is; after three within a minute it is not
	// asked any more.
	Fallback func(req *http.Request, failed *http.Response, err error) (*http.Response, error)
	// Logger gets the few warnings. nil: [slog.Default].
	Logger *slog.Logger
}

// New returns a RoundTripper that sends what is addressed to a service through
// mesh and everything else to base; nil is [http.DefaultTransport]. It waits
// for nothing and cannot fail; a nil mesh is a programming error and panics.
func New(mesh *transport.Mesh, base http.RoundTripper) *Transport {
	if mesh == nil {
		panic("fairhttp: New needs a mesh, and got nil")
	}
	return newTransport(mesh, base, Config{}, nil)
}

// Transport is New with a configuration. The error is a
// [*discovery.FieldError].
func (c Config) Transport(mesh *transport.Mesh, base http.RoundTripper) (*Transport, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if mesh == nil {
		return nil, &discovery.FieldError{Field: "mesh", Value: nil, Allowed: "a *transport.Mesh"}
	}
	return c.open(mesh, base, nil)
}

// open makes the transport, for services or for a fixed host.
func (c Config) open(mesh *transport.Mesh, base http.RoundTripper, f *fixed) (*Transport, error) {
	if field := c.shaping(); field != "" && !buildable(base) {
		return nil, &discovery.FieldError{Field: "Config." + field, Value: fmt.Sprintf("set beside a %T", base),
			Allowed: "unset, or a base that is nil or an *http.Transport: the connections of any other base are its own affair"}
	}
	if own, ok := base.(*http.Transport); ok && c.TLS != nil && dialsTLS(own) {
		return nil, &discovery.FieldError{Field: "Config.TLS", Value: "set beside a base with DialTLSContext",
			Allowed: "one of the two: a base that dials TLS by itself decides by itself whom it trusts"}
	}
	return newTransport(mesh, base, c, f), nil
}

// Validate reports the first bad field as a [*discovery.FieldError].
func (c Config) Validate() error {
	for i, host := range c.Hosts {
		if _, err := serviceOf(host); err != nil {
			return &discovery.FieldError{Field: fmt.Sprintf("Config.Hosts[%d]", i), Value: host,
				Allowed: "the name of a service, and a port if its URLs have one"}
		}
	}
	if c.Protocols != nil && *c.Protocols == (http.Protocols{}) {
		return &discovery.FieldError{Field: "Config.Protocols", Value: "{}", Allowed: "nil or at least one protocol"}
	}
	for _, f := range [...]struct {
		name string
		n    int
	}{{"MaxIdle", c.MaxIdle}, {"MaxConns", c.MaxConns}} {
		if f.n < 0 {
			return &discovery.FieldError{Field: "Config." + f.name, Value: f.n, Allowed: "0 (meaning the default) or more"}
		}
	}
	for _, f := range [...]struct {
		name string
		d    time.Duration
	}{{"IdleTimeout", c.IdleTimeout}, {"MaxConnAge", c.MaxConnAge}, {"ReadIdleTimeout", c.ReadIdleTimeout}, {"ConnectTimeout", c.ConnectTimeout}} {
		if f.d < 0 {
			return &discovery.FieldError{Field: "Config." + f.name, Value: f.d, Allowed: "0 (meaning the default) or more"}
		}
	}
	if c.Prewarm < 0 || c.Prewarm > mostPrewarm {
		return &discovery.FieldError{Field: "Config.Prewarm", Value: c.Prewarm, Allowed: fmt.Sprintf("0 to %d", mostPrewarm)}
	}
	return nil
}

// shaping returns the first field that needs connections of our own, or "".
func (c Config) shaping() string {
	switch {
	case c.TLS != nil:
		return "TLS"
	case c.Protocols != nil:
		return "Protocols"
	case c.MaxIdle != 0:
		return "MaxIdle"
	case c.MaxConns != 0:
		return "MaxConns"
	case c.IdleTimeout != 0:
		return "IdleTimeout"
	case c.MaxConnAge != 0:
		return "MaxConnAge"
	case c.ConnectTimeout != 0:
		return "ConnectTimeout"
	case c.Prewarm != 0:
		return "Prewarm"
	default:
		return ""
	}
}

func (c Config) logger() *slog.Logger { return cmp.Or(c.Logger, slog.Default()) }

// serviceOf returns the service that a declared host names.
func serviceOf(host string) (string, error) {
	name, port, found := strings.Cut(host, ":")
	if found {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", &discovery.FieldError{Field: "port", Value: port, Allowed: "1 to 65535"}
		}
	}
	return name, discovery.ValidateService(name)
}
