package integration_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/rule"
)

// An operator drains and weighs instances that know nothing of it, and write
// their records again without taking his word back.
func TestOverridesOfAnOperator(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	provider, consumer, operator := open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	register(t, provider, "orders", "b", "10.0.0.2:80")
	w := watch(t, consumer, "orders")
	w.until("both", live("a", "b"))
	is := func(draining bool, weight int) func(report) bool {
		return func(r report) bool {
			return live("a", "b")(r) && r.Instances[0].Draining == draining && r.Instances[0].Weight == weight && !r.Instances[1].Draining && r.Instances[1].Weight == 100
		}
	}

	if err := operator.Override(t.Context(), "orders", "a", etcd.Override{Drain: true, By: "ann", Reason: "disk"}); err != nil {
		t.Fatal(err)
	}
	w.until("a draining", is(true, 100))
	if o := consumer.Inspect().Watches[0].Overrides["a"]; !o.Drain || o.By != "ann" {
		t.Errorf("the consumer shows %+v", o)
	}
	changed := reg.Instance()
	changed.Zone = "north-1"
	if err := reg.Update(changed); err != nil {
		t.Fatal(err)
	}
	w.until("a draining with its new zone", func(r report) bool { return is(true, 100)(r) && r.Instances[0].Zone == "north-1" })
	if s := reg.State(); !s.Registered || s.Draining || s.Repairs != 0 {
		t.Errorf("the instance itself: %+v", s)
	}
	// Whoever comes later sees it from the first list on.
	late := watch(t, open(t, config(t, server.Endpoint())), "orders")
	if first := late.until("first list", func(r report) bool { return r.State == discovery.Live }); !is(true, 100)(first) {
		t.Errorf("the first list of a late reader: %+v", *first.Instances[0])
	}

	until := time.Now().Add(3 * time.Second)
	if err := operator.Override(t.Context(), "orders", "a", etcd.Override{Weight: 7, Until: until}); err != nil {
		t.Fatal(err)
	}
	w.until("a light", is(false, 7))
	w.until("a as it is", is(false, 100))
	if now := time.Now(); now.Before(until) {
		t.Errorf("the override ended %s early", until.Sub(now))
	}

	key := prefix(t) + "overrides/orders/a"
	if _, err := client.Put(t.Context(), key, `{"state":"drian"}`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the misspelt one is shown", func() bool {
		return strings.Contains(consumer.Inspect().Watches[0].OverridesRefused["a"], "drian")
	})
	if err := operator.Override(t.Context(), "orders", "a", etcd.Override{}); err != nil {
		t.Fatal(err)
	}
	if read(t, client, key) != nil {
		t.Error("an override that was taken back still stands")
	}
	for _, bad := range []struct {
		service, id string
		o           etcd.Override
	}{{"Orders", "a", etcd.Override{}}, {"orders", "a/b", etcd.Override{}}, {"orders", "a", etcd.Override{Weight: -1}}} {
		if err := operator.Override(t.Context(), bad.service, bad.id, bad.o); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// Etcd shows who calls whom, for as long as the caller lives.
func TestCallersAreShown(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	callers := func(callee string) (names []string) {
		r, err := client.Get(t.Context(), prefix(t)+"clients/"+callee+"/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range r.Kvs {
			var record struct{ Service, Library string }
			if err := json.Unmarshal(kv.Value, &record); err != nil || kv.Lease == 0 || record.Library == "" {
				t.Errorf("%s holds %s under lease %d: %v", kv.Key, kv.Value, kv.Lease, err)
			}
			names = append(names, record.Service)
		}
		slices.Sort(names)
		return names
	}
	named := config(t, server.Endpoint())
	named.Caller = "checkout"
	pure, server2, anonymous := open(t, named), open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	register(t, server2, "cart", "c", "10.0.0.1:80")
	for _, r := range []*etcd.Registry{pure, server2, anonymous} {
		watch(t, r, "orders").until("list", live())
	}
	eventually(t, "both callers with a name are shown", func() bool { return slices.Equal(callers("orders"), []string{"cart", "checkout"}) })
	if s := anonymous.Inspect(); s.Lease.Grants != 0 || s.Caller != "" {
		t.Errorf("a process without a name has a lease: %+v", s.Lease)
	}
	if err := pure.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := callers("orders"); !slices.Equal(got, []string{"cart"}) {
		t.Errorf("after the other left: %v", got)
	}
}

// A team that moves service by service reads what its old framework wrote.
func TestLayoutsOfOtherFrameworks(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t) // their keys have no prefix of ours
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		if _, err := client.Put(t.Context(), key, value, clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
	put("orders/7587885", "10.0.0.1:8080")
	put("orders-admin/7587886", "10.0.0.9:8080")
	put("/microservices/orders/one", `{"id":"one","name":"orders","version":"v1","metadata":{"weight":"30"},"endpoints":["http://10.0.0.2:8000","grpc://10.0.0.2:9000?isSecure=false"]}`)
	put("/microservices/orders2/two", `{"id":"two","name":"orders2","endpoints":["http://10.0.0.8:8000"]}`)

	for _, c := range []struct {
		name          string
		layout        etcd.Layout
		first, second string // IDs
		key, value    string // of the second
	}{
		{"go-zero", etcd.GoZero{}, "7587885", "7587890", "orders/7587890", "10.0.0.3:8080"},
		{"kratos", etcd.Kratos{}, "one", "two", "/microservices/orders/two", `{"id":"two","name":"orders","endpoints":["grpc://10.0.0.4:9000"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := etcd.NewReader(etcd.ReaderConfig{Config: config(t, server.Endpoint()), Layout: c.layout})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close(t.Context()) })
			w := watch(t, r, "orders")
			w.until("the first", live(c.first))
			put(c.key, c.value)
			w.until("both", live(c.first, c.second))
			put(c.key+"x", "not ours")
			w.until("a refusal", func(r report) bool { return live(c.first, c.second)(r) && r.Refused == 1 })
			if _, err := client.Delete(t.Context(), c.key); err != nil {
				t.Fatal(err)
			}
			w.until("the first alone", live(c.first))
			if s := r.Inspect(); s.Lease.Grants != 0 {
				t.Errorf("a reader has a lease: %+v", s.Lease)
			}
		})
	}
}

// A connection that slept is not trusted: the list is proved over a new one.
func TestRefreshAfterASleep(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	register(t, provider, "orders", "a", "10.0.0.1:80")
	w := watch(t, consumer, "orders")
	w.until("the instance", live("a"))
	since := consumer.Inspect().Reads.Since
	if err := consumer.Refresh(t.Context(), "orders"); err != nil {
		t.Error(err)
	}
	if now := consumer.Inspect().Reads.Since; !now.Equal(since) {
		t.Error("a list that was proved a moment ago is proved again")
	}
	if err := consumer.Refresh(t.Context(), "nobody-watches"); err != nil {
		t.Error(err)
	}
}

// Etcd shows which rules a client obeys, soon after it said so.
func TestReportedRulesAreShown(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	c := config(t, server.Endpoint())
	c.Caller = "checkout"
	r := open(t, c)
	r.ReportRules("orders", 3, 0, "")
	watch(t, r, "orders").until("list", live())
	shown := func() string {
		all, err := client.Get(t.Context(), prefix(t)+"clients/orders/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Kvs) != 1 {
			return ""
		}
		var record struct {
			Edition int             `json:"edition"`
			Rules   json.RawMessage `json:"rules"`
		}
		if err := json.Unmarshal(all.Kvs[0].Value, &record); err != nil || record.Edition != rule.Edition || all.Kvs[0].Lease == 0 {
			t.Errorf("%s under lease %d, %v", all.Kvs[0].Value, all.Kvs[0].Lease, err)
		}
		return string(record.Rules)
	}
	eventually(t, "what was reported before the watch", func() bool { return shown() == `{"applied":3}` })
	began := time.Now()
	r.ReportRules("orders", 3, 4, "spec.timeout is wrong")
	eventually(t, "the refusal", func() bool { return shown() == `{"applied":3,"refused":4,"reason":"spec.timeout is wrong"}` })
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("shown after %s, 5 s are promised", took)
	}
}

// An etcd that answers late may have written what it was asked to twice. Its
// operator finds his own word there, and no conflict.
func TestOperatorOfAnEtcdThatAnswersLate(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	operator, err := etcd.NewOperator(config(t, server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	read := int64(0)
	for n := range 3 {
		if _, err := operator.Override(ctx, "orders", "a"); err != nil { // over a connection that stands
			t.Fatal(err)
		}
		word := etcd.Override{Weight: n + 1, By: "ann"}
		server.Pause(t)
		done := make(chan error, 1)
		go func() { done <- operator.SetOverride(ctx, "orders", "a", word, read) }() // ends with ctx
		during(t, 3*time.Second)
		server.Resume(t)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		stands, err := operator.Override(ctx, "orders", "a")
		if err != nil || stands.Override != word {
			t.Errorf("%+v stands, %+v was written, %v", stands, word, err)
		}
		read = stands.Revision
	}
}
