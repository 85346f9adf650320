package integration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// district is what the servers of one zone were asked, and how long they take.
type district struct {
	calls atomic.Int64
	takes atomic.Int64
}

func (z *district) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z.calls.Add(1)
	select {
	case <-time.After(time.Duration(z.takes.Load())):
		io.WriteString(w, "ok")
	case <-r.Context().Done():
	}
}

// inZones registers three servers of orders in each of two zones.
func inZones(t *testing.T, registry *etcd.Registry) (near, far *district) {
	t.Helper()
	near, far = new(district), new(district)
	for name, z := range map[string]*district{"near": near, "far": far} {
		z.takes.Store(int64(2 * time.Millisecond))
		for n := range 3 {
			server := httptest.NewServer(z)
			t.Cleanup(server.Close)
			reg, err := registry.Register(t.Context(), discovery.Instance{
				Service: "orders", ID: fmt.Sprintf("%s-%d", name, n), Region: "eu", Zone: name,
				Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: server.Listener.Addr().String()}},
			})
			if err != nil {
				t.Fatal(err)
			}
			proved(t, reg)
		}
	}
	return near, far
}

// A document that prefers the zone sends calls to the servers there, and when
// they get slow most go to the other zone within seconds. The document takes
// effect while calls go on, and none fails.
func TestCallsStayInTheZoneUntilItIsSlow(t *testing.T) {
	server := etcdtest.Shared(t)
	store := server.Client(t)
	c := config(t, server.Endpoint())
	registry := open(t, c)
	near, far := inZones(t, registry)
	mesh, err := transport.New(registry, transport.WithLogger(c.Logger), transport.WithLocality("eu", "near"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 64
	t.Cleanup(base.CloseIdleConnections)
	client := &http.Client{Transport: fairhttp.New(mesh, base)}

	stop := make(chan struct{})
	var callers sync.WaitGroup
	defer callers.Wait()
	defer close(stop)
	for range 16 {
		callers.Go(func() { // ends with stop
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				resp, err := client.Get("mesh://orders/")
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	says := func(preference string) {
		t.Helper()
		text := `{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders","loadBalancer":{"localityPreference":"` + preference + `"}}}`
		r, err := store.Put(t.Context(), prefix(t)+"rules/orders", text)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the document in force", func() bool {
			all := mesh.Dump().Services
			return len(all) == 1 && all[0].Rules.Revision == r.Header.Revision
		})
	}
	// stay is the share of a second's calls, or of more if there are few, that stay in
	// the zone.
	stay := func() float64 {
		n, f := near.calls.Load(), far.calls.Load()
		during(t, time.Second)
		eventually(t, "enough calls", func() bool { return near.calls.Load()+far.calls.Load()-n-f >= 50 })
		n, f = near.calls.Load()-n, far.calls.Load()-f
		return float64(n) / float64(n+f)
	}
	says("none")
	if got := stay(); got < 0.2 || got > 0.8 {
		t.Errorf("where places do not matter, %.2f of the calls stay", got)
	}
	says("zone")
	if got := stay(); got < 0.85 {
		t.Errorf("where the zone is preferred, %.2f of the calls stay", got)
	}
	near.takes.Store(int64(100 * time.Millisecond))
	began := time.Now()
	for stay() > 0.5 {
		if took := time.Since(began); took > 15*time.Second { // it takes five
			t.Fatalf("most calls still stay where they are slow, after %s: %+v", took, mesh.Dump().Services[0].Choices["http"].Parts)
		}
	}
	t.Logf("most calls had left after %s", time.Since(began))
	parts := mesh.Dump().Services[0].Choices["http"].Parts
	if len(parts) != 2 || parts[0].Share > 0.6 || parts[0].Well != 3 {
		t.Errorf("the parts are %+v", parts)
	}
}
