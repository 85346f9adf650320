package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// put writes records of orders as somebody does who has the right to write
// there and bad intentions.
func put(t *testing.T, server *etcdtest.Server, records map[string]string) {
	t.Helper()
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	for id, value := range records {
		if _, err := client.Put(t.Context(), instanceKey(t, "orders", id), value, clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
}

// overHTTP returns a client of orders through a mesh over the test's registry.
func overHTTP(t *testing.T, server *etcdtest.Server, reach discovery.Reach) (*http.Client, *transport.Mesh) {
	t.Helper()
	mesh, err := transport.New(open(t, config(t, server.Endpoint())), transport.WithReach(reach), transport.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	rt := fairhttp.New(mesh, nil)
	t.Cleanup(func() {
		rt.Close()
		mesh.Close(context.Background())
	})
	return &http.Client{Transport: rt}, mesh
}

// Metadata that would break every header, log line or metric label it got into
// is left out, and no call fails for it.
func TestHostileMetadataCostsNoCall(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	var many strings.Builder
	for n := range 200 {
		fmt.Fprintf(&many, `,"k%d":"v"`, n)
	}
	meta := `"id":"odd","meta":{"x\r\nHost: evil":"1","nul":"\u0000","utf8":"\ud800","long":"` + strings.Repeat("x", 2048) + `","__proto__":"x","":"y"` + many.String() + `}`
	put(t, server, map[string]string{"odd": `{"Addr":"` + s.Listener.Addr().String() + `","Metadata":{` + meta + `}}`})

	client, mesh := overHTTP(t, server, discovery.Reach{})
	for range 50 {
		resp, err := client.Get("mesh://orders/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	d := mesh.Dump().Services[0]
	if len(d.Instances) != 1 || d.Refused != 0 || d.Dropped < 5 || len(d.Drops) != 1 {
		t.Errorf("%d instances, %d refused, %d entries dropped, %v", len(d.Instances), d.Refused, d.Dropped, d.Drops)
	}
}

// Records that point where nothing should be called are seen, counted, and
// never connected to; the instance beside them is called.
func TestHostileAddressesAreNeverCalled(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("this system has one loopback address only: %v", err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	var reached atomic.Int64
	secret := httptest.NewUnstartedServer(http.NotFoundHandler())
	secret.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			reached.Add(1)
		}
	}
	secret.Start()
	t.Cleanup(secret.Close)
	_, port, err := net.SplitHostPort(secret.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	etcd := strings.TrimPrefix(server.Endpoint(), "http://")
	forbidden := map[string]string{
		"metadata":        `{"Addr":"169.254.169.254:80"}`,
		"mapped-metadata": `{"Addr":"[::ffff:169.254.169.254]:80"}`,
		"etcd":            `{"Addr":"` + etcd + `"}`,
		"mapped-loopback": `{"Addr":"[::ffff:127.0.0.1]:` + port + `"}`,
		"name":            `{"Addr":"localhost:` + port + `"}`,
	}
	refused := map[string]string{
		"unspecified": `{"Addr":"0.0.0.0:80"}`,
		"unix":        `{"Addr":"unix:/run/orders.sock"}`,
		"user":        `{"Addr":"127.0.0.1:` + port + `@x"}`,
		"port-0":      `{"Addr":"127.0.0.2:0"}`,
		"octal":       `{"Addr":"0177.0.0.1:` + port + `"}`,
	}
	put(t, server, forbidden)
	put(t, server, refused)
	put(t, server, map[string]string{"good": `{"Addr":"` + l.Addr().String() + `"}`})

	client, mesh := overHTTP(t, server, discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	for range 50 {
		resp, err := client.Post("mesh://orders/", "text/plain", strings.NewReader("once"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	d := mesh.Dump().Services[0]
	if len(d.Instances) != len(forbidden)+1 || d.Forbidden != len(forbidden) || d.Refused != len(refused) {
		t.Errorf("%d instances, %d forbidden %v, %d refused %v", len(d.Instances), d.Forbidden, d.Violations, d.Refused, d.Refusals)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections to the secret server", n)
	}
	if d.Attempts["success"] != 50 || d.Retries != 0 {
		t.Errorf("attempts %v, %d retries: forbidden ones are not even tried", d.Attempts, d.Retries)
	}
}

// A registry on this host alone means this host by its loopback addresses; one
// that code does not trust so far names the networks.
func TestLoopbackIsThatOfALocalEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	put(t, server, map[string]string{"a": `{"Addr":"` + s.Listener.Addr().String() + `"}`})
	client, _ := overHTTP(t, server, discovery.Reach{})
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	client, _ = overHTTP(t, server, discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if resp, err := client.Get("mesh://orders/"); !errors.Is(err, discovery.ErrForbidden) {
		if err == nil {
			resp.Body.Close()
		}
		t.Errorf("error %v, want ErrForbidden", err)
	}
}
