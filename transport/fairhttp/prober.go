package fairhttp

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Prober probes instances by a GET of a path, for [transport.WithHealthCheck].
// It goes where calls go, in the way they do: to the instance's endpoint for
// HTTP, unix sockets among them, by the service's name as Host and as the
// identity that TLS asks for, without a proxy, and to no address that the mesh
// may not call. Redirects are not followed. An instance without such an
// endpoint counts as not probed. The zero value is good.
//
// Each probe has a connection of its own. It so shows that the instance accepts
// new ones, which one that was kept would not, and there is no connection more
// per instance.
type Prober struct {
	// Path of the request, with a query if need be. Empty: "/".
	Path string
	// Host of the request. Empty: the service's name.
	Host string
	// StatusFrom and StatusTo are the first and the last status that say that
	// all is well; 0 mean 200 and 299.
	StatusFrom, StatusTo int
	// Config and Base are those of the [Transport] that makes the calls. Of
	// Config, TLS (then the probe is https) and Protocols matter. A Base that is
	// nil, or has no DialContext, is dialled as [http.DefaultTransport] does by
	// itself.
	Config Config
	Base   *http.Transport
}

// Validate reports the first bad field as a [*discovery.FieldError].
func (p Prober) Validate() error {
	if _, err := url.ParseRequestURI(p.path()); err != nil || !strings.HasPrefix(p.path(), "/") {
		return &discovery.FieldError{Field: "Prober.Path", Value: p.Path, Allowed: `empty (meaning "/"), or an absolute path`}
	}
	if u, err := url.Parse("//" + p.Host); err != nil || u.Host != p.Host {
		return &discovery.FieldError{Field: "Prober.Host", Value: p.Host, Allowed: "empty (meaning the service's name), or a host with or without a port"}
	}
	for _, f := range [...]struct {
		name   string
		status int
	}{{"StatusFrom", p.StatusFrom}, {"StatusTo", p.StatusTo}} {
		if f.status != 0 && (f.status < 200 || f.status > 599) {
			return &discovery.FieldError{Field: "Prober." + f.name, Value: f.status, Allowed: "0 (meaning the default), or 200 to 599"}
		}
	}
	if from, to := p.statuses(); from > to {
		return &discovery.FieldError{Field: "Prober.StatusTo", Value: to, Allowed: fmt.Sprintf("%d, which is StatusFrom, or more", from)}
	}
	if p.Base != nil && p.Config.TLS != nil && dialsTLS(p.Base) {
		return &discovery.FieldError{Field: "Prober.Config.TLS", Value: "set beside a Base with DialTLSContext", Allowed: "one of the two"}
	}
	return p.Config.Validate()
}

func (p Prober) path() string { return cmp.Or(p.Path, "/") }

func (p Prober) statuses() (from, to int) {
	return cmp.Or(p.StatusFrom, 200), cmp.Or(p.StatusTo, 299)
}

// Probe implements [balancer.Prober].
func (p Prober) Probe(ctx context.Context, n *balancer.Node) error {
	addr := n.Endpoint(discovery.HTTP)
	if addr == "" {
		return fmt.Errorf("%w: no endpoint for HTTP that may be called", balancer.ErrUnprobed)
	}
	service := n.Instance().Service
	req, err := p.request(ctx, service)
	if err != nil {
		return err
	}
	// A transport that is told to give up still waits for the end of a TLS
	// handshake: what was dialled is closed when the probe is over.
	over, end := context.WithCancel(context.Background())
	defer end()
	answer, err := p.transport(service, func() (net.Conn, error) {
		conn, err := p.dial(ctx, addr)
		if conn != nil {
			context.AfterFunc(over, func() { conn.Close() })
		}
		return conn, err
	}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// So that a server which has a little more to say is heard out.
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	if from, to := p.statuses(); answer.StatusCode < from || answer.StatusCode > to {
		return fmt.Errorf("GET %s was answered with %s", p.path(), answer.Status)
	}
	return nil
}

func (p Prober) request(ctx context.Context, service string) (*http.Request, error) {
	scheme := "http://"
	if p.Config.TLS != nil {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+cmp.Or(p.Host, service)+p.path(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "fairlead-health-check")
	return req, nil
}

// transport returns one for one probe, which dials in one way whatever the URL
// says.
func (p Prober) transport(service string, dial func() (net.Conn, error)) *http.Transport {
	base := p.Base
	if base == nil {
		base, _ = http.DefaultTransport.(*http.Transport)
	}
	h := modelOf(cmp.Or(base, new(http.Transport)), p.Config)
	h.DisableKeepAlives = true
	h.TLSClientConfig.ServerName = cmp.Or(h.TLSClientConfig.ServerName, service)
	h.DialContext = func(context.Context, string, string) (net.Conn, error) { return dial() }
	return h
}

func (p Prober) dial(ctx context.Context, addr string) (net.Conn, error) {
	var own dialFunc
	if p.Base != nil {
		//lint:ignore SA1019 a caller's transport may still have one
		own = withContext(p.Base.DialContext, p.Base.Dial)
	}
	if own == nil {
		return balancer.DialEndpoint(ctx, defaultDialer(), addr)
	}
	network := "tcp"
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", socket
	}
	check := func(network, address string) error { return balancer.CheckSocket(ctx, network, address) }
	return checkedBy(own, check)(ctx, network, addr)
}
