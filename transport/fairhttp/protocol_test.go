package fairhttp_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// wire is one way to speak HTTP to the service "orders".
type wire struct {
	name   string
	proto  string
	server func(*server)
	client fairhttp.Config
}

func wires(t testing.TB) []wire {
	of, trust := identity(t, "orders")
	return []wire{
		{"HTTP/1.1", "HTTP/1.1", func(*server) {}, fairhttp.Config{}},
		{"HTTP/1.1 over TLS", "HTTP/1.1", overTLS(of, false), fairhttp.Config{TLS: trust}},
		{"HTTP/2 over TLS", "HTTP/2.0", overTLS(of, true), fairhttp.Config{TLS: trust}},
		{"HTTP/2 without TLS", "HTTP/2.0", overH2C, fairhttp.Config{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}},
	}
}

func TestProtocols(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Seen-Proto", r.Proto)
				w.Header().Set("Seen-Host", r.Host)
				io.Copy(w, r.Body)
			}, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			resp, body := fetch(t, client, "POST", "mesh://orders/echo", "two sheep")
			if body != "two sheep" || resp.Proto != w.proto || resp.Header.Get("Seen-Proto") != w.proto {
				t.Errorf("echoed %q over %s, the server saw %s; want %s", body, resp.Proto, resp.Header.Get("Seen-Proto"), w.proto)
			}
			if host := resp.Header.Get("Seen-Host"); host != "orders" {
				t.Errorf("the server saw host %q, want the service", host)
			}
			until(t, "no call is in flight", func() bool { return orders.outstanding() == 0 })
		})
	}
}

// H6: what belongs to an attempt must outlive its headers, or the body breaks
// off.
func TestH6AttemptOutlivesHeaders(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			headersSeen := make(chan struct{})
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				<-headersSeen
				io.WriteString(w, "late")
			}, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			close(headersSeen)
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "late" {
				t.Errorf("read %q, %v after the headers; want late, nil", body, err)
			}
		})
	}
}

// H11: trailers come with the end of the body, into the response that the
// caller holds.
func TestH11Trailers(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				key := http.TrailerPrefix + "Grpc-Status"
				if r.URL.Path == "/announced" {
					key = "Grpc-Status"
					w.Header().Set("Trailer", key)
				}
				io.WriteString(w, "body")
				w.(http.Flusher).Flush()
				w.Header().Set(key, "0")
			}, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			for _, path := range []string{"announced", "unannounced"} {
				resp, _ := fetch(t, client, "GET", "mesh://orders/"+path, "")
				if got := resp.Trailer.Get("Grpc-Status"); got != "0" {
					t.Errorf("the %s trailer after the body is %q, want 0", path, got)
				}
			}
		})
	}
}

// H12: what frames the request survives the copy: length, encoding, trailers.
func TestH12RequestFraming(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				fmt.Fprintf(w, "%d %s", r.ContentLength, r.Trailer.Get("Checksum"))
			}, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			for _, c := range []struct {
				name string
				tune func(*http.Request)
				want string
			}{
				{"a known length", func(*http.Request) {}, "4 "},
				{"chunks with a trailer", func(r *http.Request) {
					r.ContentLength, r.Body, r.GetBody = -1, io.NopCloser(strings.NewReader("four")), nil
					r.Trailer = http.Header{"Checksum": {"cafe"}}
				}, "-1 cafe"},
			} {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", strings.NewReader("four"))
				c.tune(req)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != c.want {
					t.Errorf("%s: the server saw length and trailer %q, want %q", c.name, got, c.want)
				}
			}
		})
	}
}

// H10: what comes before the answer reaches the caller's own trace, and is
// also seen by nobody else's.
func TestH10InformationalResponses(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", "</style.css>")
				w.WriteHeader(http.StatusEarlyHints)
			}, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			var hint string
			connections := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn: func(httptrace.GotConnInfo) { connections++ },
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					hint = fmt.Sprint(code, h.Get("Link"))
					return nil
				},
			})
			req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if want := fmt.Sprint(http.StatusEarlyHints, "</style.css>"); hint != want || connections != 1 {
				t.Errorf("the caller's trace saw hint %q and %d connections, want %q and 1", hint, connections, want)
			}
		})
	}
}

// H10: a body waits for 100-continue, is sent once, and is not touched if the
// answer comes without.
func TestH10ExpectContinue(t *testing.T) {
	for _, c := range []struct {
		name     string
		handler  http.HandlerFunc
		status   int
		consumed bool
	}{
		{"100, then the body", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, 200, true},
		{"417 instead of it", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusExpectationFailed)
		}, 417, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.handler)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			body := newTracked("payload")
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", body)
			req.ContentLength = int64(len("payload"))
			req.Header.Set("Expect", "100-continue")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.status || body.consumed() != c.consumed {
				t.Errorf("status %d with the body consumed %t, want %d and %t", resp.StatusCode, body.consumed(), c.status, c.consumed)
			}
			until(t, "the body is closed", func() bool { return body.closes() == 1 })
		})
	}
}

// H8: after 101 the body is a connection: it can be written to, half-closed
// where net/http can, and it is in flight until it is closed.
func TestH8UpgradedBodyStaysWritable(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString("you said " + line)
		rw.Flush()
		io.Copy(io.Discard, rw) // until the other side has nothing more to say
		rw.WriteString("bye")
		rw.Flush()
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body of a %d response is a %T, which cannot be written to", resp.StatusCode, resp.Body)
	}
	io.WriteString(conn, "hello\n")
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); line != "you said hello\n" || err != nil {
		t.Errorf("read %q, %v", line, err)
	}
	if got := orders.outstanding(); got != 1 {
		t.Errorf("%d calls in flight while the connection is used, want 1", got)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "bye" {
		t.Errorf("read %q after CloseWrite, want bye", rest)
	}
	conn.Close()
	if got := orders.outstanding(); got != 0 {
		t.Errorf("%d calls in flight after Close, want 0", got)
	}
}

// CONNECT asks the instance for a tunnel to the service it is.
func TestConnect(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.Copy(w, r.Body)
	}, overH2C)
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}, nil)
	pr, pw := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "CONNECT", "mesh://orders", pr)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	go func() { // ends with the write
		io.WriteString(pw, "through")
		pw.Close()
	}()
	if got, err := io.ReadAll(resp.Body); string(got) != "through" || err != nil {
		t.Errorf("read %q, %v through the tunnel", got, err)
	}
}

// H18: where the instance is stands in the URL of the attempt; the Host header
// and the TLS server name say the service, never what a registry told us.
func TestH18HostAndServerNameAreTheService(t *testing.T) {
	of, trust := identity(t, "orders")
	asked := make(chan string, 8)
	of.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		asked <- h.ServerName
		return nil, nil
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }, overTLS(of, true))
	orders := newService(t, s.addr())

	for _, c := range []struct {
		name, url, host string
		config          fairhttp.Config
		base            http.RoundTripper
		wantHost        string
	}{
		{"mesh with Config.TLS", "mesh://orders/", "", fairhttp.Config{TLS: trust}, nil, "orders"},
		{"https of a declared host", "https://orders/", "", fairhttp.Config{Hosts: []string{"orders"}}, &http.Transport{TLSClientConfig: trust}, "orders"},
		{"https of a declared host with a port", "https://orders:8443/", "", fairhttp.Config{Hosts: []string{"orders:8443"}, TLS: trust}, nil, "orders:8443"},
		{"the caller's own Host header", "mesh://orders/", "tenant.example", fairhttp.Config{TLS: trust}, nil, "tenant.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := orders.client(t, c.config, c.base)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", c.url, nil)
			if c.host != "" {
				req.Host = c.host
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if host, _ := io.ReadAll(resp.Body); string(host) != c.wantHost {
				t.Errorf("Host header %q, want %q", host, c.wantHost)
			}
			if name := <-asked; name != "orders" {
				t.Errorf("TLS server name %q, want the service", name)
			}
		})
	}
}

// A server that presents another service's certificate is not spoken to.
func TestH18ForeignCertificateIsRefused(t *testing.T) {
	of, trust := identity(t, "billing")
	s := serve(t, say("hello"), overTLS(of, true))
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{TLS: trust}, nil)
	_, err := client.Get("mesh://orders/")
	if err == nil || !strings.Contains(err.Error(), "certificate is valid for billing, not orders") {
		t.Errorf("error %v, want one about the certificate", err)
	}
	if n := s.executions.Load(); n != 0 {
		t.Errorf("the server executed %d requests", n)
	}
}

func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/orders.sock")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }, func(s *server) {
		s.Listener.Close()
		s.Listener = l
	})
	orders := newServiceWith(t, []transport.Option{transport.WithReach(discovery.Reach{UnixDir: dir})})
	if _, err := orders.Register(t.Context(), discovery.Instance{
		Service: "orders", Addr: refusing(t), BootID: discovery.BootID(),
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "unix:" + dir + "/orders.sock"}},
	}); err != nil {
		t.Fatal(err)
	}
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	if _, host := fetch(t, client, "GET", "mesh://orders/", ""); host != "orders" {
		t.Errorf("Host header %q over the socket, want orders", host)
	}

	shared, _ := orders.client(t, fairhttp.Config{}, wrapped{http.DefaultTransport})
	if _, err := shared.Get("mesh://orders/"); err == nil || !strings.Contains(err.Error(), "unix socket") {
		t.Errorf("over a base that cannot be told to dial a socket: %v, want an error that says so", err)
	}
}

// Trap 15: nothing is read ahead of the server, were it to make retries
// possible.
func TestTrap15BodyIsStreamed(t *testing.T) {
	firstSeen := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 5)
		io.ReadFull(r.Body, first)
		close(firstSeen)
		rest, _ := io.ReadAll(r.Body)
		w.Write(append(first, rest...))
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	pr, pw := io.Pipe()
	go func() { // ends with the pipe
		pw.Write([]byte("first"))
		<-firstSeen // a double that buffers never gets here
		pw.Write([]byte(" second"))
		pw.Close()
	}()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", pr)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); !bytes.Equal(got, []byte("first second")) {
		t.Errorf("the server got %q", got)
	}
}
