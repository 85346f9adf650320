package etcd

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

func TestInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		o := f.operator(t)
		defer o.Close()
		instance := func(service, id, addr string) {
			f.put(o.keys.instance(service, id), string(at(id, addr, 1, 1).Value), 7)
		}
		over := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		instance("orders", "a", "10.0.0.1:80")
		instance("orders", "b", "10.0.0.2:80")
		instance("orders", "old", "10.0.0.4:80")
		instance("orders", "young", "10.0.0.4:80")
		f.put(o.keys.instance("orders", "bad"), `{}`, 7)
		f.put(o.keys.override("orders", "a"), `{"state":"drain","by":"ann"}`, 0)
		f.put(o.keys.override("orders", "b"), `{"weight":7,"until":"`+over+`"}`, 0)
		f.put(o.keys.override("orders", "nobody"), `{"weight":7}`, 0)
		f.put(o.keys.override("orders", "young"), `{"wieght":7}`, 0)
		f.put(o.keys.rule("payments"), `{}`, 0)
		f.put(o.keys.client("users", "c"), `{"service":"checkout","library":"fairlead v1","edition":1,"rules":{"applied":7,"refused":8,"reason":"why"}}`, 7)
		f.put(o.keys.client("users", "d"), `{"service":"cart"}`, 7)
		f.put(o.keys.client("users", "e"), `{"service":"cart"}`, 0)

		all, err := o.Instances(ctx, "orders")
		if err != nil || len(all) != 6 {
			t.Fatalf("%d records, %v", len(all), err)
		}
		by := map[string]InstanceRecord{}
		for _, r := range all {
			by[r.ID] = r
		}
		if a := by["a"]; !a.Instance.Draining || a.Override.By != "ann" {
			t.Errorf("the drained one: %+v", a)
		}
		if b := by["b"]; b.Instance.Weight == 7 || b.Override.Weight != 7 {
			t.Errorf("one whose override is over: %+v", b)
		}
		if !by["old"].Hidden || by["young"].Hidden || by["young"].OverrideRefused == "" {
			t.Errorf("two at one address: %+v, %+v", by["old"], by["young"])
		}
		if bad := by["bad"]; bad.Refused == "" || bad.Instance != nil {
			t.Errorf("a bad record: %+v", bad)
		}
		if nobody := by["nobody"]; nobody.Instance != nil || nobody.Override == nil {
			t.Errorf("an override of nobody: %+v", nobody)
		}

		services, err := o.Services(ctx)
		rules := f.get(o.keys.rule("payments")).ModRevision
		want := []ServiceSummary{
			{Service: "orders", Instances: 3, Draining: 1, Refused: 1},
			{Service: "payments", Rules: rules},
			{Service: "users", Clients: 3},
		}
		if err != nil || len(services) != len(want) {
			t.Fatalf("%+v, %v", services, err)
		}
		for n := range want {
			if services[n] != want[n] {
				t.Errorf("%+v, want %+v", services[n], want[n])
			}
		}

		clients, err := o.Clients(ctx, "users")
		if err != nil || len(clients) != 3 {
			t.Fatalf("%+v, %v", clients, err)
		}
		if c := clients[0]; !reflect.DeepEqual(c, Client{ID: "c", Service: "checkout", Library: "fairlead v1", Edition: 1, Applied: 7, Refused: 8, Reason: "why"}) || !c.Reads(rule.Policy{}) {
			t.Errorf("a client: %+v", c)
		}
		if c := clients[1]; c.Reads(rule.Policy{}) || c.Malformed != "" {
			t.Errorf("a client of an old version: %+v", c)
		}
		if c := clients[2]; !strings.Contains(c.Malformed, "lease") || c.ID != "e" {
			t.Errorf("a client that nothing would remove: %+v", c)
		}
		if _, err := o.Clients(ctx, ""); err == nil {
			t.Error("no service is accepted")
		}
	})
}

// Lists are read page by page, as they were at one moment.
func TestInventoryOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := f.operator(t)
		defer o.Close()
		for n := range 2*pageSize + 1 {
			f.put(o.keys.instance("orders", instanceName(n)), string(at(instanceName(n), "10.0.0.1:80", 1, 1).Value), 7)
		}
		all, err := o.Instances(t.Context(), "orders")
		if err != nil || len(all) != 2*pageSize+1 {
			t.Errorf("%d instances, %v", len(all), err)
		}
	})
}
