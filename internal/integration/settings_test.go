package integration_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// An operator puts safe mode on while a mesh is calling, and takes it back.
func TestSafeModeReachesAMeshThatCalls(t *testing.T) {
	t.Parallel()
	const soon = 3 * time.Second
	server := etcdtest.Shared(t)
	c := config(t, server.Endpoint())
	registry := open(t, c)
	versioned(t, registry)
	operator, err := etcd.NewOperator(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { operator.Close() })
	read, err := operator.Rules(t.Context(), "orders") // of an earlier run
	if err != nil {
		t.Fatal(err)
	}
	rules, _, err := operator.PutRules(t.Context(), rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "first", Labels: map[string]string{"version": "v1"}}},
		Routes:  []rule.Route{{Route: []rule.Destination{{Subset: "first", Weight: 100}}, Strict: true}},
	}}, read.Revision, etcd.Note{})
	if err != nil {
		t.Fatal(err)
	}
	mesh, err := transport.New(registry, transport.WithLogger(c.Logger))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	base := &http.Transport{DialContext: (&net.Dialer{}).DialContext}
	t.Cleanup(base.CloseIdleConnections)
	client := &http.Client{Transport: fairhttp.New(mesh, base), Timeout: patience}
	call := func() (version string) {
		// Etcd may be slow with the first list on a machine that is busy.
		req, err := http.NewRequestWithContext(transport.WithCall(context.Background(), transport.WaitForReady(true)), http.MethodGet, "mesh://orders/", nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return string(body)
	}
	// strays reports whether some of the calls that are made from now on go past
	// the rules.
	strays := func() bool {
		for range 100 {
			if call() == "v2" {
				return true
			}
		}
		return false
	}
	inForce := func() (settings, rules int64, algorithm string) {
		d := mesh.Dump()
		if len(d.Services) != 1 || d.Settings == nil || d.Services[0].Rules == nil || d.Services[0].Rules.Policy == nil {
			return -1, 0, ""
		}
		r := d.Services[0].Rules
		return d.Settings.Revision, r.Revision, r.Policy.Spec.LoadBalancer.Algorithm
	}
	// reaches waits until settings are in force, and says how long it took since
	// began.
	reaches := func(what string, revision int64, algorithm string, began time.Time) {
		t.Helper()
		for {
			if s, r, a := inForce(); s == revision && r == rules.Revision && a == algorithm {
				break
			}
			if time.Since(began) > patience {
				t.Fatalf("%s is not in force: %+v", what, mesh.Dump().Settings)
			}
			time.Sleep(time.Millisecond)
		}
		took := time.Since(began)
		t.Logf("%s after %s", what, took.Round(time.Millisecond))
		if took > soon {
			t.Errorf("%s after %s, want at most %s", what, took, soon)
		}
	}
	call()
	reaches("the rules", 0, "", time.Now())

	var calling sync.WaitGroup
	var calls atomic.Int64
	stop := make(chan struct{})
	calling.Go(func() { // ends with stop
		for {
			select {
			case <-stop:
				return
			default:
				call()
				calls.Add(1)
			}
		}
	})
	defer calling.Wait()
	defer close(stop)
	if strays() {
		t.Fatal("before safe mode calls go past the rules")
	}
	began := time.Now()
	on, before, err := operator.PutSettings(t.Context(), rule.Settings{
		APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{SafeMode: true}},
	}, 0, etcd.Note{By: "ann", Reason: "trouble"})
	if err != nil || before.Text != nil {
		t.Fatal(before, err)
	}
	reaches("safe mode", on.Revision, "round-robin", began)
	if !strays() {
		t.Error("in safe mode no call goes past the rules")
	}

	began = time.Now()
	if _, _, err := operator.DeleteSettings(t.Context(), on.Revision, etcd.Note{}); err != nil {
		t.Fatal(err)
	}
	reaches("the rules again", 0, "", began)
	if strays() {
		t.Error("once safe mode is over calls go past the rules")
	}
	if calls.Load() == 0 {
		t.Error("no call was made meanwhile")
	}
}
