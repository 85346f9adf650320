package fairhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// Fixed is for who calls one host and has no registry: what is said of services is
// then said of that host. Its calls are tried again, hedged and broken off by the
// same code, as a service of which the host is the only instance:
//
//	rt, err := fairhttp.Fixed{Host: "api.example.com"}.Transport(nil)
//	client := &http.Client{Transport: rt}
//
// With nothing but a Host, what never reached it is tried again, and what lost its
// connection before an answer if the method is GET, HEAD, OPTIONS or TRACE, or the
// call declared idempotent by [transport.WithCall].
//
// Requests keep their URL, Host header and TLS server name. The name of the host is
// resolved with each connection, and a proxy of the base is used.
type Fixed struct {
	// Host is that of http and https URLs, as it stands there: "api.example.com",
	// whatever their port, or "api.example.com:8443" with that port only. An IPv6
	// address has brackets. All that a URL may be called on it has one breaker and
	// one budget.
	Host string
	// Timeout bounds each call with all its attempts and the body of its answer.
	// 0: its context does.
	Timeout time.Duration
	// Retry says what is tried again, and how long an attempt may take.
	Retry retry.Policy
	// Budget bounds retries and second attempts together.
	Budget retry.BudgetConfig
	// Hedge sends calls that may be executed twice a second time when they take
	// long. nil: never.
	Hedge *retry.HedgeConfig
	// Breaker rejects calls at once where those before them failed, with an error
	// that wraps [breaker.ErrOpen]. nil: there is none.
	Breaker *breaker.Config
	// Config says the rest. It has no Hosts and no Prewarm, and its TLS is that of
	// https URLs.
	Config Config
}

// Transport returns a RoundTripper that governs what is addressed to the host and
// passes on everything else to base; nil is [http.DefaultTransport]. Its Close ends
// all that it began. Options say what else its calls are to obey, as they do of a
// mesh. The error names the bad field, its value and what is allowed.
func (f Fixed) Transport(base http.RoundTripper, options ...transport.Option) (*Transport, error) {
	host, err := f.host()
	if err != nil {
		return nil, err
	}
	registry, err := discovery.NewStatic(host.instance())
	if err != nil {
		return nil, f.badHost()
	}
	all := []transport.Option{
		transport.WithReach(reachOfFixed), transport.WithManyBehindOne(), transport.WithLogger(f.Config.logger()),
		transport.WithRetry(f.Retry), transport.WithBudget(f.Budget), transport.WithTimeout(f.Timeout),
	}
	if f.Hedge != nil {
		all = append(all, transport.WithHedge(*f.Hedge))
	}
	if f.Breaker != nil {
		all = append(all, transport.WithBreaker(rule.PerService, *f.Breaker))
	}
	mesh, err := transport.New(registry, append(all, options...)...)
	if err != nil {
		return nil, err
	}
	config := f.Config
	if buildable(base) { // there is nowhere else to go, and the host may be far away
		config.ConnectTimeout = cmp.Or(config.ConnectTimeout, defaultDialer().Timeout)
	}
	t, err := config.open(mesh, base, host)
	if err != nil {
		return nil, errors.Join(err, mesh.Close(context.Background()))
	}
	return t, nil
}

// reachOfFixed allows whatever code may name as a host.
var reachOfFixed = discovery.Reach{Hostnames: true, Loopback: true}

// Validate reports bad fields, their values and what is allowed.
func (f Fixed) Validate() error {
	_, err := f.host()
	return err
}

// host is Validate, and what Host says.
func (f Fixed) host() (*fixed, error) {
	var errs []error
	if f.Timeout < 0 {
		errs = append(errs, &discovery.FieldError{Field: "Fixed.Timeout", Value: f.Timeout, Allowed: "0 (meaning that the context bounds the call) or more"})
	}
	if len(f.Config.Hosts) > 0 {
		errs = append(errs, &discovery.FieldError{Field: "Fixed.Config.Hosts", Value: f.Config.Hosts, Allowed: "none: Fixed.Host is the only one"})
	}
	if f.Config.Prewarm != 0 {
		errs = append(errs, &discovery.FieldError{Field: "Fixed.Config.Prewarm", Value: f.Config.Prewarm, Allowed: "0: the port is known with the first URL only"})
	}
	named := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("fairhttp: Fixed.%s: %w", name, err))
		}
	}
	named("Config", f.Config.Validate())
	named("Retry", f.Retry.Validate())
	named("Budget", f.Budget.Validate())
	if f.Hedge != nil {
		named("Hedge", f.Hedge.Validate())
	}
	if f.Breaker != nil {
		named("Breaker", f.Breaker.Validate())
	}
	host, ok := parseFixed(f.Host)
	if !ok {
		errs = append(errs, f.badHost())
	}
	return host, errors.Join(errs...)
}

func (f Fixed) badHost() error {
	return &discovery.FieldError{Field: "Fixed.Host", Value: f.Host,
		Allowed: "the host of a URL, and a port from 1 to 65535 if it is for that only: a DNS name, or an IP address that means the same on every host, in brackets if it is of IPv6"}
}

// fixed is the host of a [Fixed].
type fixed struct {
	name    string // in lower case, and without brackets
	port    string // "": any
	service string // what it is called as a service
}

func parseFixed(host string) (*fixed, bool) {
	f := &fixed{name: strings.ToLower(host)}
	bracketed := strings.HasSuffix(host, "]")
	if name, port, err := net.SplitHostPort(f.name); err == nil && !bracketed {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return nil, false
		}
		bracketed = strings.HasPrefix(host, "[")
		f.name, f.port = name, port
	} else if bracketed {
		f.name = strings.TrimSuffix(strings.TrimPrefix(f.name, "["), "]")
	}
	f.service = f.name
	if ip, err := netip.ParseAddr(f.name); err == nil {
		if ip.Is6() != bracketed || reachOfFixed.Allows(ip) != nil {
			return nil, false
		}
		f.service = "ip-" + strings.NewReplacer(".", "-", ":", "-").Replace(ip.StringExpanded())
	} else if bracketed {
		return nil, false
	}
	return f, discovery.ValidateService(f.service) == nil
}

// instance is the host as the only instance of its service. Its address is for those
// who look only: connections are made to what URLs say.
func (f *fixed) instance() discovery.Instance {
	addr := net.JoinHostPort(f.name, cmp.Or(f.port, "443"))
	id := f.name
	if f.port != "" {
		id += ":" + f.port
	}
	if !discovery.ValidID(id) { // of more than 128 bytes
		id = "host"
	}
	return discovery.Instance{ID: id, Service: f.service, Addr: addr}
}

// is reports whether a URL is one of the host.
func (f *fixed) is(u *url.URL) bool {
	var usual string
	switch u.Scheme {
	case "http":
		usual = "80"
	case "https":
		usual = "443"
	default:
		return false
	}
	return strings.EqualFold(u.Hostname(), f.name) && (f.port == "" || cmp.Or(u.Port(), usual) == f.port)
}
