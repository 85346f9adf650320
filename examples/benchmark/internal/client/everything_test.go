package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What the server sees of the very first call: rules have made it critical, and a
// refusal was retried.
func TestRulesHoldFromTheFirstCall(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var calls atomic.Int64
			priorities := make(chan string, 10)
			at := double{answer: func(_ context.Context, r request) ([]byte, error) {
				priorities <- r.priority
				if calls.Add(1) == 1 && protocol != scenario.GRPCStream { // of which nothing is retried
					return nil, errors.New("busy")
				}
				return r.payload, nil
			}}.start(t)[protocol]
			c := dial(t, client.Assignment{Variant: "fairlead-critical", Addrs: at, Scenario: scenario.Scenario{
				Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin,
			}})
			if err := c.Worker()(t.Context()); err != nil {
				t.Fatal(err)
			}
			if first := <-priorities; first != "critical" {
				t.Errorf("the first call had priority %q, want critical", first)
			}
		})
	}
}

// Each part of the document has to have been at work: what is dumped of it is there
// only if calls went through it.
func TestEverythingIsAtWorkAndNothingActs(t *testing.T) {
	f := fleet(t)
	mesh, err := client.OpenMesh(f.Places.TCP[scenario.HTTP1], client.Everything)
	if err != nil {
		t.Fatal(err)
	}
	defer mesh.Close(context.Background())
	door := &http.Client{Transport: fairhttp.New(mesh, nil)}
	const calls = 100
	for range calls {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "mesh://orders/orders/thin", strings.NewReader("echo"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Tenant", "benchmark")
		resp, err := door.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	d := mesh.Dump().Services[0]
	if r := d.Rules; r == nil || r.Revision != 1 || !r.Live || r.Refused != "" || len(r.Unheeded) > 0 || r.Policy == nil || r.Policy.Metadata.Name != "everything" {
		t.Fatalf("rules in force: %+v", r)
	}
	if d.Attempts["success"] != calls || d.Retries != 0 || len(d.Ejections) > 0 {
		t.Errorf("attempts %v, %d retries, ejections %v", d.Attempts, d.Retries, d.Ejections)
	}
	if b := d.Breakers; b == nil || b.Scope != "instance" || b.States["closed"] != 4 || b.Rejected+b.WouldReject != 0 {
		t.Errorf("breakers: %+v", b)
	}
	var limits []string
	for _, l := range d.Limits.Limits {
		limits = append(limits, l.Kind+" "+l.Name+" per "+l.Per)
		if l.Refused != [ratelimit.NumberOfPriorities]int64{} {
			t.Errorf("limit %s refused %v", l.Name, l.Refused)
		}
		if l.Name == "tenants" && l.Keys != 1 {
			t.Errorf("%d tenants were counted, want one", l.Keys)
		}
		if l.Name == "each" && l.Concurrency < 4*5000 {
			t.Errorf("all instances take %d calls, fewer than the document says", l.Concurrency)
		}
	}
	if want := []string{"rate fleet per service", "rate tenants per header:x-tenant", "concurrency all per service", "instance each per instance", "throttle throttle per "}; !slices.Equal(limits, want) {
		t.Errorf("limits %q, want %q", limits, want)
	}
	var selections []string
	for _, s := range d.Selections {
		selections = append(selections, fmt.Sprintf("%s %v: %d", s.Subset, s.Filters, s.Eligible))
	}
	if want := []string{"north [current]: 2", "south [current]: 2"}; !slices.Equal(selections, want) {
		t.Errorf("calls were narrowed down to %q, want %q", selections, want)
	}
	for _, n := range d.Instances {
		if n.Zone != "here-1" || n.Outage != nil {
			t.Errorf("instance %+v", n)
		}
	}
	// One in 10^9 runs has fewer than 20 of 100 in a half.
	if got := f.Calls(); min(got[0]+got[2], got[1]+got[3]) < 20 {
		t.Errorf("of %v the halves have not alike", got)
	}
}

func TestADocumentThatIsNotObeyedIsAnError(t *testing.T) {
	for _, c := range []struct{ document, want string }{
		{"spec: {service: orders, healthCheck: {}}", "rules are not obeyed: healthCheck: code does not say by what to probe"},
		{"spec: {service: orders, timeout: 1}", "timeout"},
	} {
		_, err := client.OpenMesh([]string{"127.0.0.1:1"}, "apiVersion: fairlead/v1alpha1\nkind: ServicePolicy\n"+c.document)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.document, err, c.want)
		}
	}
}
