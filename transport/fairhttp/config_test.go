package fairhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   string // in the error; empty: valid
	}{
		{"zero", Config{}, ""},
		{"all set", Config{Hosts: []string{"orders", "billing.eu:8080"}, TLS: new(tls.Config), MaxIdle: 1, MaxConns: 1, IdleTimeout: 1, MaxConnAge: 1, Prewarm: 1}, ""},
		{"a host that is no service", Config{Hosts: []string{"orders", "Billing"}}, `Config.Hosts[1] "Billing"`},
		{"a host that is an address", Config{Hosts: []string{"10.0.0.7:80"}}, `Config.Hosts[0] "10.0.0.7:80"`},
		{"a URL for a host", Config{Hosts: []string{"http://orders"}}, `Config.Hosts[0]`},
		{"a port that is none", Config{Hosts: []string{"orders:http"}}, `Config.Hosts[0] "orders:http"`},
		{"no protocol", Config{Protocols: new(http.Protocols)}, "Config.Protocols"},
		{"MaxIdle", Config{MaxIdle: -1}, "Config.MaxIdle -1"},
		{"MaxConns", Config{MaxConns: -1}, "Config.MaxConns -1"},
		{"IdleTimeout", Config{IdleTimeout: -1}, "Config.IdleTimeout -1ns"},
		{"MaxConnAge", Config{MaxConnAge: -time.Second}, "Config.MaxConnAge -1s"},
		{"ReadIdleTimeout", Config{ReadIdleTimeout: -time.Second}, "Config.ReadIdleTimeout -1s"},
		{"ConnectTimeout", Config{ConnectTimeout: -time.Second}, "Config.ConnectTimeout -1s"},
		{"Prewarm below", Config{Prewarm: -1}, "Config.Prewarm -1"},
		{"Prewarm above", Config{Prewarm: 65}, "Config.Prewarm 65 is invalid: allowed is 0 to 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.config.Validate()
			if c.want == "" && err != nil {
				t.Errorf("error %v", err)
			}
			if c.want != "" && (!errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// What a shared base could not be made to do is refused, not ignored.
func TestConfigNeedsABaseItCanShape(t *testing.T) {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(t.Context()) })
	foreign := struct{ http.RoundTripper }{http.DefaultTransport}
	for _, c := range []struct {
		name   string
		config Config
	}{
		{"TLS", Config{TLS: new(tls.Config)}}, {"Protocols", Config{Protocols: modelOf(&http.Transport{}, Config{}).Protocols}},
		{"MaxIdle", Config{MaxIdle: 1}}, {"MaxConns", Config{MaxConns: 1}}, {"IdleTimeout", Config{IdleTimeout: 1}},
		{"MaxConnAge", Config{MaxConnAge: 1}}, {"ConnectTimeout", Config{ConnectTimeout: 1}}, {"Prewarm", Config{Prewarm: 1}},
	} {
		_, err := c.config.Transport(mesh, foreign)
		if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), "Config."+c.name+" ") {
			t.Errorf("%s over a base of its own kind: %v", c.name, err)
		}
	}
	if _, err := (Config{Hosts: []string{"orders"}}).Transport(mesh, foreign); err != nil {
		t.Errorf("Hosts over a base of its own kind: %v", err)
	}
	dialling := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }}
	if _, err := (Config{TLS: new(tls.Config)}).Transport(mesh, dialling); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("TLS beside a base that dials TLS by itself: %v", err)
	}
	if _, err := (Config{}).Transport(nil, nil); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("no mesh: %v", err)
	}
}

// H13: HTTP/2 asks a silent connection for a sign of life; net/http by itself
// never does. A caller's own choice stands.
func TestH13Pings(t *testing.T) {
	m := modelOf(&http.Transport{}, Config{})
	if m.HTTP2.SendPingTimeout != 5*time.Second || m.HTTP2.PingTimeout != 2*time.Second {
		t.Errorf("pings after %v, given up after %v", m.HTTP2.SendPingTimeout, m.HTTP2.PingTimeout)
	}
	own := &http.Transport{HTTP2: &http.HTTP2Config{SendPingTimeout: time.Minute, PingTimeout: time.Second}}
	if m := modelOf(own, Config{}); m.HTTP2.SendPingTimeout != time.Minute || m.HTTP2.PingTimeout != time.Second {
		t.Errorf("the caller's pings became %v and %v", m.HTTP2.SendPingTimeout, m.HTTP2.PingTimeout)
	}
}

func TestModelSpeaksWhatTheBaseSpeaks(t *testing.T) {
	only := func(set func(*http.Protocols, bool)) *http.Protocols {
		p := new(http.Protocols)
		set(p, true)
		return p
	}
	both := only((*http.Protocols).SetHTTP1)
	both.SetHTTP2(true)
	for _, c := range []struct {
		name   string
		base   *http.Transport
		config Config
		want   string
		protos []string // offered in the TLS handshake
	}{
		{"the default transport", http.DefaultTransport.(*http.Transport), Config{}, both.String(), []string{"h2", "http/1.1"}},
		{"a zero transport", &http.Transport{}, Config{}, both.String(), []string{"h2", "http/1.1"}},
		{"a zero transport with our TLS", &http.Transport{}, Config{TLS: new(tls.Config)}, both.String(), []string{"h2", "http/1.1"}},
		{"a base with TLS of its own, for which net/http turns HTTP/2 off", &http.Transport{TLSClientConfig: &tls.Config{NextProtos: []string{"http/1.1"}}}, Config{}, "{HTTP1}", []string{"http/1.1"}},
		{"a base that turns HTTP/2 off", &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}, Config{}, "{HTTP1}", nil},
		{"a base that says what it speaks", &http.Transport{Protocols: only((*http.Protocols).SetHTTP2)}, Config{}, "{HTTP2}", []string{"h2"}},
		{"a configuration that says so", &http.Transport{}, Config{Protocols: only((*http.Protocols).SetHTTP1)}, "{HTTP1}", []string{"http/1.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := modelOf(c.base, c.config).Clone().Clone() // as a leaf's, once it was used
			if h.Protocols.String() != c.want || !slices.Equal(h.TLSClientConfig.NextProtos, c.protos) {
				t.Errorf("speaks %v and offers %q, want %s and %q", h.Protocols, h.TLSClientConfig.NextProtos, c.want, c.protos)
			}
		})
	}
}

// The caller's configuration and transport are read, not written to.
func TestModelLeavesTheCallersAlone(t *testing.T) {
	array := make([]string, 1, 8)
	array[0] = "http/1.1"
	own := &tls.Config{NextProtos: array}
	base := &http.Transport{MaxIdleConns: 7}
	modelOf(base, Config{TLS: own, MaxIdle: 9}).Clone()
	if own.ServerName != "" || len(own.NextProtos) != 1 || array[:2][1] != "" || base.MaxIdleConns != 7 || base.MaxIdleConnsPerHost != 0 {
		t.Errorf("TLS %+v, array %q, base %+v", own, array[:2], base)
	}
}
