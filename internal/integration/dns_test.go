package integration_test

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
	"github.com/fairlead-go/fairlead/internal/integration/dnstest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

func TestDNSRecordsKeepTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		Carries: func(i discovery.Instance) discovery.Instance {
			c := discovery.Addrs(i.Service, i.Addr)[0]
			c.Weight = i.Weight
			return c
		},
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			z := newZone(t, instances...)
			d := openDNS(t, z.server, discovery.DNSConfig{Name: "_{service}._tcp.mesh.test."})
			return discoverytest.Fixture{Registry: d, Writer: z}
		},
	})
}

func TestDNSAddressesKeepTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		Carries: func(i discovery.Instance) discovery.Instance {
			c := discovery.Addrs(i.Service, i.Addr)[0]
			c.Weight = discovery.DefaultWeight
			return c
		},
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			z := newZone(t, instances...)
			d := openDNS(t, z.server, discovery.DNSConfig{Name: "{service}.mesh.test.", Port: 8080}) // of all instances of the suite
			return discoverytest.Fixture{Registry: d, Writer: z}
		},
	})
}

// openDNS returns a registry that asks the server often, and is closed with the
// test.
func openDNS(t *testing.T, server *dnstest.Server, c discovery.DNSConfig) *discovery.DNS {
	t.Helper()
	c.Resolver, c.Interval = server.Resolver(), 20*time.Millisecond
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := discovery.NewDNS(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// zone keeps instances in the zone of a server: as the addresses of
// <service>.mesh.test, and as SRV records of _<service>._tcp.mesh.test.
type zone struct {
	server *dnstest.Server

	mu        sync.Mutex                               // guards instances
	instances map[string]map[string]discovery.Instance // by service and ID
}

func newZone(t *testing.T, instances ...discovery.Instance) *zone {
	z := &zone{server: dnstest.New(t), instances: map[string]map[string]discovery.Instance{}}
	for _, i := range instances {
		z.Put(t.Context(), i)
	}
	return z
}

func (z *zone) Put(_ context.Context, i discovery.Instance) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.instances[i.Service] == nil {
		z.instances[i.Service] = map[string]discovery.Instance{}
	}
	z.instances[i.Service][i.ID] = i
	z.publishLocked(i.Service)
	return nil
}

func (z *zone) Remove(_ context.Context, service, id string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.instances[service], id)
	z.publishLocked(service)
	return nil
}

func (z *zone) publishLocked(service string) {
	var addrs []netip.Addr
	var records []net.SRV
	for _, i := range slices.Collect(maps.Values(z.instances[service])) {
		at := netip.MustParseAddrPort(i.Addr)
		host := "h-" + hex.EncodeToString(at.Addr().AsSlice()) + ".hosts.test."
		z.server.SetHost(host, at.Addr())
		addrs = append(addrs, at.Addr())
		records = append(records, net.SRV{Target: host, Port: at.Port(), Weight: uint16(i.Weight)})
	}
	z.server.SetHost(service+".mesh.test.", addrs...)
	z.server.SetSRV("_"+service+"._tcp.mesh.test.", records...)
}

// The server of names fails in both its ways, and calls go on.
func TestDNSFailsAndCallsGoOn(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name  string
		begin func(*dnstest.Server)
	}{
		{"ServerFailure", (*dnstest.Server).Fail},
		{"Silence", (*dnstest.Server).Silence},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") }))
			t.Cleanup(backend.Close)
			at := netip.MustParseAddrPort(backend.Listener.Addr().String())
			server := dnstest.New(t)
			server.SetHost("orders.mesh.test.", at.Addr())
			registry := openDNS(t, server, discovery.DNSConfig{Name: "{service}.mesh.test.", Port: at.Port()})
			mesh, err := transport.New(registry, transport.WithReach(discovery.Reach{Loopback: true}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { mesh.Close(context.Background()) })
			client := &http.Client{Transport: fairhttp.New(mesh, nil)}
			call := func() {
				t.Helper()
				answer, err := client.Get("mesh://orders/")
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
			}
			state := func() transport.ServiceDump { return mesh.Dump().Services[0] }

			call()
			fault.begin(server)
			eventually(t, "the list is stale", func() bool { return state().State == discovery.Stale })
			if trouble := state().Trouble; !strings.Contains(trouble, "orders.mesh.test") {
				t.Errorf("trouble is %q; want the name that was asked for", trouble)
			}
			for range 20 {
				call()
			}
			server.Heal()
			eventually(t, "the list is live again", func() bool { return state().State == discovery.Live && state().Trouble == "" })
			call()
		})
	}
}
