package integration_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// attempts is a base that writes down the hosts to which the attempts of a call
// went.
type attempts struct{ base *http.Transport }

type hosts struct{ all []string }

type hostsKey struct{}

func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	h := req.Context().Value(hostsKey{}).(*hosts)
	h.all = append(h.all, req.URL.Host)
	return a.base.RoundTrip(req)
}

// versioned is orders in two versions, each with two instances that answer and
// one that refuses, so that calls are tried again.
func versioned(t *testing.T, registry discovery.Registrar) (versionOf map[string]string) {
	t.Helper()
	versionOf = map[string]string{}
	for _, version := range []string{"v1", "v2"} {
		for _, id := range []string{"a", "b", "dead"} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, version) }))
			addr := server.Listener.Addr().String()
			if id == "dead" {
				server.Close()
			} else {
				t.Cleanup(server.Close)
			}
			reg, err := registry.Register(t.Context(), discovery.Instance{
				Service: "orders", ID: version + "-" + id, Version: version,
				Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: addr}},
			})
			if err != nil {
				t.Fatal(err)
			}
			proved(t, reg)
			versionOf[addr] = version
		}
	}
	return versionOf
}

// A hundred changes of a rule while 2 000 calls a second are made: none fails,
// and the attempts of each go by one rule.
func TestRulesChangeUnderLoad(t *testing.T) {
	rate, changes := 2000, 100
	if race {
		rate = 400
	}
	server := etcdtest.Shared(t)
	store := server.Client(t)
	c := config(t, server.Endpoint())
	registry := open(t, c)
	versionOf := versioned(t, registry)
	mesh, err := transport.New(registry, transport.WithLogger(c.Logger))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	base := &http.Transport{MaxIdleConnsPerHost: 256, DialContext: (&net.Dialer{}).DialContext}
	t.Cleanup(base.CloseIdleConnections)
	client := &http.Client{Transport: fairhttp.New(mesh, attempts{base})}

	var calls, retried, wrong, failed atomic.Int64
	call := func() {
		h := new(hosts)
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), hostsKey{}, h), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://orders/", nil)
		if err != nil {
			t.Error(err)
			return
		}
		calls.Add(1)
		resp, err := client.Do(req)
		if err != nil {
			if failed.Add(1) < 5 {
				t.Error(err)
			}
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		versions := []string{}
		for _, host := range h.all {
			versions = append(versions, versionOf[host])
		}
		if len(versions) > 1 {
			retried.Add(1)
		}
		if len(slices.Compact(versions)) != 1 && wrong.Add(1) < 5 {
			t.Errorf("a call went to %v", versions)
		}
	}
	revision := func(n int) int64 {
		version := []string{"v1", "v2"}[n%2]
		p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
			Service: "orders",
			Subsets: []rule.Subset{{Name: "some", Labels: map[string]string{"version": version}}},
			Routes:  []rule.Route{{Name: "to-" + version, Route: []rule.Destination{{Subset: "some", Weight: 100}}, Strict: true}},
		}}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.Put(t.Context(), prefix(t)+"rules/orders", string(text))
		if err != nil {
			t.Fatal(err)
		}
		return r.Header.Revision
	}
	applied := func(revision int64) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			if all := mesh.Dump().Services; len(all) == 1 && all[0].Rules.Revision == revision {
				return
			}
			if time.Since(began) > patience {
				t.Fatalf("revision %d is not in force: %+v", revision, mesh.Dump().Services)
			}
		}
	}
	first := revision(0)
	resp, err := client.Do(func() *http.Request {
		req, _ := http.NewRequestWithContext(context.WithValue(t.Context(), hostsKey{}, new(hosts)), http.MethodGet, "mesh://orders/", nil)
		return req
	}())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	applied(first)

	var running sync.WaitGroup
	stop := make(chan struct{})
	places := make(chan struct{}, 256) // calls at once: a machine that stalls does not run out of files
	running.Go(func() {                // ends with stop
		began, sent := time.Now(), 0
		for {
			for due := int(time.Since(began).Seconds() * float64(rate)); sent < due; sent++ {
				select {
				case places <- struct{}{}:
					running.Go(func() {
						defer func() { <-places }()
						call()
					})
				default: // this one is left out
				}
			}
			select {
			case <-time.After(time.Millisecond):
			case <-stop:
				return
			}
		}
	})
	var last int64
	for n := range changes {
		last = revision(n + 1)
		time.Sleep(100 * time.Millisecond)
	}
	applied(last)
	close(stop)
	running.Wait()
	t.Logf("%d calls, %d of them tried again, %d failed, under %d changes", calls.Load(), retried.Load(), failed.Load(), changes)
	if most := int64(rate * changes / 10 / 4); calls.Load() < most {
		t.Errorf("only %d calls were made, too few to tell", calls.Load())
	}
	if retried.Load() == 0 {
		t.Error("no call was tried again: nothing is told of mixtures")
	}
	if refused := mesh.Dump().Services[0].Rules; refused.Refusals != 0 || !strings.HasPrefix(refused.Origin, "etcd") {
		t.Errorf("shown are %+v", refused)
	}
}
