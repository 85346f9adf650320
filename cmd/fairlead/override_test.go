package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func TestOverridesComeAndGo(t *testing.T) {
	t.Parallel()
	server := shared(t)
	client := server.Client(t)
	x := terminalAt(t, server.Endpoint())
	alive := lease(t, server)
	record := `{"Op":0,"Addr":"10.0.0.7:80","Metadata":{"id":"a","service":"orders","zone":"north","version":"v1"}}`
	put(t, server, "instances/orders/a", record, alive)
	put(t, server, "instances/orders/bad", `{"Addr":"\u001b[31m"}`, alive)
	key := prefix(t) + "overrides/orders/a"
	said := func() string {
		t.Helper()
		r, err := client.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Kvs) == 0 {
			return ""
		}
		return string(r.Kvs[0].Value)
	}
	// backAndForth runs a command and its undo.
	backAndForth := func(what string, args ...string) {
		t.Helper()
		before := said()
		a := x.says(exitOK, []string{what, "undo: fairlead "}, args...)
		if said() == before {
			t.Errorf("%q changed nothing", args)
		}
		x.undo(a)
		if now := said(); now != before {
			t.Errorf("after %q and its undo there is %s, there was %s", args, now, before)
		}
	}
	x.says(exitOK, []string{"10.0.0.7:80", "100", "north", "v1", "serving", "refused: "}, "instances", "orders")
	if a := x.run("instances", "orders"); strings.Contains(a.out, "\x1b") {
		t.Errorf("what a record says reaches the terminal: %q", a.out)
	}
	x.says(exitOK, []string{"dry run"}, "drain", "orders", "a", "--dry-run")
	x.says(exitOK, []string{"unchanged"}, "undrain", "orders", "a")
	x.says(exitOK, []string{"unchanged"}, "weight", "orders", "a", "0")
	x.says(exitInvalid, []string{"orders has no instance b", "--force"}, "drain", "orders", "b")
	x.says(exitInvalid, []string{"no instance b"}, "weight", "orders", "b", "5")
	if now := said(); now != "" {
		t.Errorf("there is %s", now)
	}
	backAndForth("drain by", "drain", "orders", "a")
	backAndForth("weight 5", "weight", "orders", "a", "5", "--reason", "it's slow")

	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	x.says(exitOK, nil, "weight", "orders", "a", "5", "--by", "ann", "--reason", "it's slow; $HOME", "--until", until)
	backAndForth("weight 7", "weight", "orders", "a", "7")
	backAndForth("nothing", "weight", "orders", "a", "0")
	backAndForth("drain, weight 5 by bob", "drain", "orders", "a", "--by", "bob")
	x.says(exitOK, []string{"unchanged"}, "undrain", "orders", "a", "--until", until)
	x.says(exitOK, nil, "drain", "orders", "a", "--by", "", "--reason", "")
	if now := said(); now != `{"state":"drain","weight":5}` {
		t.Errorf("there is %s", now)
	}
	x.says(exitOK, []string{"unchanged; said is drain, weight 5"}, "drain", "orders", "a")
	backAndForth("weight 5 by", "undrain", "orders", "a")
	backAndForth("drain by", "weight", "orders", "a", "0")
	backAndForth("drain, weight 5 until", "drain", "orders", "a", "--until", until)
	x.says(exitOK, []string{"draining", "drain, weight 5"}, "instances", "orders")
	var services []etcd.ServiceSummary
	if err := json.Unmarshal([]byte(x.says(exitOK, nil, "services", "-o", "json").out), &services); err != nil || len(services) != 1 || services[0] != (etcd.ServiceSummary{Service: "orders", Instances: 1, Draining: 1, Refused: 1}) {
		t.Errorf("%+v, %v", services, err)
	}

	put(t, server, "overrides/orders/a", `{"weight":3,"until":"2001-01-01T00:00:00Z"}`) // over
	a := x.says(exitOK, []string{"undo: fairlead undrain orders a"}, "drain", "orders", "a")
	x.undo(a)
	if now := said(); now != "" {
		t.Errorf("there is %s", now)
	}
	put(t, server, "overrides/orders/a", `{"state":"drian"}`)
	x.says(exitOK, []string{"refused: ", "drian"}, "instances", "orders")
	x.undo(x.says(exitOK, []string{"could not be understood and cannot be put back"}, "drain", "orders", "a"))
	if now := said(); now != "" {
		t.Errorf("there is %s", now)
	}

	forced := x.says(exitOK, []string{"--force"}, "drain", "orders", "b", "--force", "-o", "json")
	var o outcome
	if err := json.Unmarshal([]byte(forced.out), &o); err != nil || o.Undo != "fairlead undrain orders b --force" {
		t.Errorf("%+v, %v", o, err)
	}
	x.says(exitOK, []string{"unknown"}, "instances", "orders")
	x.says(exitOK, nil, split(o.Undo)[1:]...)
	x.says(exitOK, []string{"instance:\n", "  id: a\n"}, "instances", "orders", "-o", "yaml")
}

// The way back leads to the same etcd.
func TestUndoGoesWhereItCameFrom(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminal{t: t}
	a := x.says(exitOK, []string{"--endpoints", "--prefix"}, "drain", "orders", "a", "--force", "--endpoints", server.Endpoint()+","+server.Endpoint(), "--prefix", prefix(t))
	x.undo(a)
	x.env = map[string]string{"ETCDCTL_ENDPOINTS": server.Endpoint(), "FAIRLEAD_PREFIX": prefix(t)}
	x.says(exitOK, []string{"unchanged"}, "undrain", "orders", "a")
	a = x.says(exitOK, nil, "drain", "orders", "a", "--force")
	if strings.Contains(a.out, "--endpoints") {
		t.Errorf("what the environment says is repeated: %s", a.out)
	}
}
