package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// policyFile writes rules of orders that can be told from others by a timeout.
func policyFile(t *testing.T, timeout string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), timeout+".yaml")
	text := "# for the test\napiVersion: fairlead/v1alpha1\nkind: ServicePolicy\nspec:\n  service: orders\n  timeout: " + timeout + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// stands checks the rules of orders by their timeout; "": there are none.
func (x terminal) stands(timeout string) {
	x.t.Helper()
	if timeout == "" {
		x.says(exitInvalid, []string{"orders has no rules"}, "rules", "get", "orders")
		return
	}
	x.says(exitOK, []string{"timeout: " + timeout}, "rules", "get", "orders")
}

func TestRulesComeAndGo(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	one, two := policyFile(t, "1s"), policyFile(t, "2s")

	x.says(exitOK, []string{"etcd (no rules)", "+  timeout: 1s"}, "rules", "diff", one)
	x.says(exitOK, []string{"dry run", "+  timeout: 1s"}, "rules", "apply", one, "--dry-run")
	x.stands("")
	x.says(exitOK, []string{"VERSION"}, "rules", "history", "orders")
	x.says(exitInvalid, []string{"no version of the rules of orders"}, "rules", "rollback", "orders")
	x.says(exitOK, []string{"there are none"}, "rules", "delete", "orders")

	first := x.says(exitOK, []string{"version 1 written", "0 clients", "undo: fairlead rules delete orders"}, "rules", "apply", one, "--by", "ann", "--reason", "first")
	x.stands("1s")
	x.says(exitOK, []string{"unchanged"}, "rules", "diff", one)
	x.says(exitOK, []string{"unchanged"}, "rules", "apply", one)
	x.undo(first)
	x.stands("")

	x.says(exitOK, []string{"version 3"}, "rules", "apply", one)
	second := x.says(exitOK, []string{"version 4", "undo: fairlead rules rollback orders 3"}, "rules", "apply", two, "--by", "bob")
	x.says(exitOK, []string{"-  timeout: 2s", "+  timeout: 1s"}, "rules", "rollback", "orders", "--dry-run")
	x.stands("2s")
	back := x.undo(second) // version 5 says what version 3 did
	x.stands("1s")
	x.undo(back)
	x.stands("2s")
	x.says(exitOK, []string{"unchanged"}, "rules", "rollback", "orders", "4")
	x.says(exitInvalid, []string{"version 2 of the rules of orders is a deletion"}, "rules", "rollback", "orders", "2")
	x.says(exitInvalid, []string{"version 77 of the rules of orders is not kept; there are 1 to 6"}, "rules", "rollback", "orders", "77")
	x.says(exitOK, []string{"version 7"}, "rules", "rollback", "orders") // to 5, which is before 6
	x.stands("1s")

	x.says(exitOK, []string{"would be deleted"}, "rules", "delete", "orders", "--dry-run")
	x.stands("1s")
	gone := x.says(exitOK, []string{"deleted", "undo: fairlead rules rollback orders 7"}, "rules", "delete", "orders")
	x.stands("")
	x.says(exitOK, []string{"version 9"}, "rules", "rollback", "orders") // the last there was
	x.stands("1s")
	x.says(exitOK, []string{"deleted"}, "rules", "delete", "orders")
	x.undo(gone)
	x.stands("1s")

	a := x.says(exitOK, []string{"VERSION", "ann", "first", "deleted"}, "rules", "history", "orders")
	if lines := strings.Split(a.out, "\n"); !strings.HasPrefix(lines[1], "11 ") || !strings.HasPrefix(lines[11], "1 ") {
		t.Errorf("the newest is not first:\n%s", a.out)
	}
	a = x.says(exitOK, nil, "rules", "history", "orders", "-o", "json")
	var all []past
	if err := json.Unmarshal([]byte(a.out), &all); err != nil || len(all) != 11 || all[10].By != "ann" || all[10].Document == nil || !all[9].Deleted {
		t.Errorf("history as data: %v\n%s", err, a.out)
	}
	if _, err := rule.Decode(all[10].Document); err != nil {
		t.Error(err)
	}
	x.says(exitOK, []string{"service: orders\n", "rules:"}, "services", "-o", "yaml")
}

// The last twenty versions are kept, and no more.
func TestOldVersionsGo(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	for n := range 24 {
		x.says(exitOK, []string{fmt.Sprintf("version %d written", n+1)}, "rules", "apply", policyFile(t, fmt.Sprintf("%ds", n+1)))
	}
	kept, err := server.Client(t).Get(t.Context(), prefix(t)+"history/", clientv3.WithPrefix())
	if err != nil || len(kept.Kvs) != etcd.KeptVersions {
		t.Errorf("%d keys, %v", len(kept.Kvs), err)
	}
	x.says(exitInvalid, []string{"version 4 of the rules of orders is not kept; there are 5 to 24"}, "rules", "rollback", "orders", "4")
	x.says(exitOK, []string{"version 25"}, "rules", "rollback", "orders", "5")
	x.stands("5s")
	x.says(exitInvalid, []string{"there are 6 to 25"}, "rules", "rollback", "orders", "5")
}

// What the command writes is what it reads: in both forms, whatever texts there
// are.
func TestDocumentsSurviveTheirWay(t *testing.T) {
	t.Parallel()
	x := terminalAt(t, shared(t).Endpoint())
	odd := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Metadata: rule.Metadata{Labels: map[string]string{}}, Spec: rule.Spec{Service: "orders"}}
	for n, text := range []string{"1.10", "yes", "null", "~", "2026-01-01", "a: b", " lead", "trail ", "#c", "a #c", "0x1f", "1e3", "1_000", "0o7", "*a", "&a", "!x", "-", "- x", "?", "|", ">", "%x", "@x", "`x", "{}", "[]", "''", `"q"`, `\`, "line\nbreak", "\n", "tab\tx", "\x01", "\u2028", "\u0085", "é日", "<<", "=", "12:30:45", ".inf", "on", "'", "it's: a"} {
		odd.Metadata.Labels[fmt.Sprintf("l%d", n)] = text
		odd.Metadata.Labels["k"+text] = "v"
		odd.Spec.Routes = append(odd.Spec.Routes, rule.Route{Name: text})
	}
	odd.Metadata.Labels = limited(odd.Metadata.Labels)
	oddText, err := json.Marshal(odd)
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.ReadFile(testdata + "good/orders.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{full, oddText} {
		want, err := rule.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		x.check(x.pipe(string(text), "rules", "apply", "-"), exitOK, []string{"written"}, nil)
		for _, form := range [][]string{nil, {"-o", "yaml"}, {"-o", "json"}} {
			a := x.says(exitOK, nil, append([]string{"rules", "get", want.Spec.Service}, form...)...)
			again, err := yaml.Decode([]byte(a.out))
			if err != nil {
				t.Fatalf("%v\n%s", err, a.out)
			}
			if twice, err := json.Marshal(again); err != nil || string(twice) != string(canonical) {
				t.Errorf("%s\nis written as %s", canonical, a.out)
			}
			x.check(x.pipe(a.out, "rules", "apply", "-"), exitOK, []string{"unchanged"}, nil)
		}
	}
}

// limited leaves as many labels as are allowed.
func limited(labels map[string]string) map[string]string {
	for name := range labels {
		if len(labels) > rule.MaxLabels {
			delete(labels, name)
		}
	}
	return labels
}

// Two operators who read the same rules do not both write.
func TestOperatorsInConflict(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	x.says(exitOK, nil, "rules", "apply", policyFile(t, "1s"))
	s := &session{env: func(name string) string { return x.env[name] }, stdout: t.Output()}
	root := s.root()
	if err := s.settle(root.PersistentFlags()); err != nil {
		t.Fatal(err)
	}
	err := s.put(t.Context(), "orders", putting{}, func(context.Context, *etcd.Operator, etcd.RuleVersion) (rule.Policy, string, error) {
		// The rules were read by now; somebody else is faster.
		x.says(exitOK, nil, "rules", "apply", policyFile(t, "2s"))
		p, err := policies().good(s, policyFile(t, "3s"))
		return p, "mine", err
	})
	if err == nil || !strings.Contains(err.Error(), "somebody else has changed the rules of orders") {
		t.Errorf("error %v", err)
	}
	x.stands("2s")

	// Of many who apply at once each change is made or refused.
	const many = 8
	answers := make(chan answer, many)
	for n := range many {
		file := policyFile(t, fmt.Sprintf("%dms", 100+n))
		go func() { answers <- x.run("rules", "apply", file) }() // ends with the command
	}
	made := 0
	for range many {
		switch a := <-answers; {
		case a.code == exitOK:
			made++
		case !strings.Contains(a.err, "somebody else"):
			t.Errorf("%d: %s", a.code, a.err)
		}
	}
	var all []past
	if err := json.Unmarshal([]byte(x.says(exitOK, nil, "rules", "history", "orders", "-o", "json").out), &all); err != nil || made == 0 || len(all) != 2+made {
		t.Errorf("%d were made, there are %d versions, %v", made, len(all), err)
	}
}

// What somebody put with another tool can be shown, replaced and put back.
func TestRulesWrittenByOtherMeans(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	put(t, server, "rules/orders", `{"kind":"ServicePolicy","apiVersion":"fairlead/v1alpha1","spec":{"service":"orders","timeout":"9000ms"}}`)
	x.stands("9s")
	x.says(exitOK, []string{"unchanged"}, "rules", "apply", policyFile(t, "9s"))
	a := x.says(exitOK, []string{"version 2", "undo: fairlead rules rollback orders 1"}, "rules", "apply", policyFile(t, "1s"))
	x.says(exitOK, []string{"by other means"}, "rules", "history", "orders")
	x.undo(a)
	x.stands("9s")

	put(t, server, "rules/orders", `{"kind":"none"}`)
	x.says(exitInvalid, []string{`{"kind":"none"}`, "no valid document", "apiVersion"}, "rules", "get", "orders")
	x.says(exitOK, []string{`-{"kind":"none"}`}, "rules", "diff", policyFile(t, "1s"))
	a = x.says(exitOK, []string{"cannot be put back"}, "rules", "apply", policyFile(t, "1s"))
	if strings.Contains(a.out, "undo:") {
		t.Errorf("a way back that leads nowhere:\n%s", a.out)
	}
	put(t, server, "history/orders/000000000002", `{"document":{"kind":"none"},"at":"2026-01-01T00:00:00Z"}`)
	put(t, server, "history/orders/000000000003", `[]`)
	x.says(exitInvalid, []string{"version 2 of the rules of orders is no valid document"}, "rules", "rollback", "orders", "2")
	x.says(exitInvalid, []string{"version 3 of the rules of orders cannot be understood"}, "rules", "rollback", "orders", "3")
	x.says(exitOK, []string{"malformed"}, "rules", "history", "orders")
}

// A document that some clients cannot read is refused, and they are named.
func TestClientsThatCannotRead(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	alive := lease(t, server)
	put(t, server, "clients/orders/a", `{"service":"cart","library":"fairlead v0.1.0","since":"2026-01-01T00:00:00Z"}`, alive)
	put(t, server, "clients/orders/b", `{"service":"cart","library":"fairlead v0.1.0","since":"2026-01-01T00:00:00Z"}`, alive)
	put(t, server, "clients/orders/c", `{"service":"shop","library":"fairlead v0.3.0","since":"2026-01-01T00:00:00Z","edition":1}`, alive)
	put(t, server, "clients/orders/d", `nothing`, alive)
	file := policyFile(t, "1s")
	named := []string{"3 of 4 clients cannot read this document, which needs edition 1: 1 of an unknown version, 2 of fairlead v0.1.0"}
	x.says(exitInvalid, append(named, "nothing was written"), "rules", "apply", file)
	x.says(exitInvalid, named, "rules", "apply", file, "--dry-run")
	x.stands("")
	x.says(exitOK, append(named, "4 clients"), "rules", "apply", file, "--force")
	x.stands("1s")
	x.says(exitInvalid, named, "rules", "apply", policyFile(t, "2s"))
	a := x.says(exitOK, nil, "rules", "apply", policyFile(t, "2s"), "--force", "-o", "json")
	var said outcome
	if err := json.Unmarshal([]byte(a.out), &said); err != nil || said.Clients == nil || *said.Clients != 4 || said.Version != 2 || said.Revision == 0 || said.Undo != "fairlead rules rollback orders 1" {
		t.Errorf("as data: %+v, %v", said, err)
	}
	x.says(exitInvalid, named, "rules", "rollback", "orders")
	x.says(exitOK, named, "rules", "rollback", "orders", "--force")
	x.stands("1s")
}

// --wait ends when all who obey rules have said what they make of them.
func TestWaitForClients(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	open := func(caller string) *etcd.Registry {
		r, err := etcd.New(etcd.Config{Client: clientv3.Config{Endpoints: []string{server.Endpoint()}}, Prefix: prefix(t), Caller: caller, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			r.Close(ctx)
		})
		return r
	}
	x.says(exitOK, []string{"obeyed by 0 clients"}, "rules", "apply", policyFile(t, "1s"), "--wait", "1m")

	obedient, stubborn := open("shop"), open("cart")
	for _, r := range []*etcd.Registry{obedient, stubborn} {
		go func() { // ends with the registry
			for range r.Watch(context.Background(), "orders") {
			}
		}()
	}
	go func() { // ends with the registry
		for d := range obedient.Rules(context.Background(), "orders") {
			obedient.ReportRules("orders", d.Revision, 0, "")
		}
	}()
	shown := func(n int) {
		t.Helper()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); ; <-tick.C {
			kvs, err := server.Client(t).Get(t.Context(), prefix(t)+"clients/orders/", clientv3.WithPrefix())
			if err == nil && len(kvs.Kvs) == n {
				return
			}
			if time.Since(began) > 45*time.Second {
				t.Fatalf("still not %d clients", n)
			}
		}
	}
	shown(2)
	x.says(exitInvalid, []string{"version 2 written", "2 clients", "not answered by 1 client:\ncart/"}, "rules", "apply", policyFile(t, "2s"), "--wait", "15s")
	go func() { // ends with the registry
		for d := range stubborn.Rules(context.Background(), "orders") {
			stubborn.ReportRules("orders", 0, d.Revision, "not for me")
		}
	}()
	x.says(exitInvalid, []string{"version 3 written", "1 of 2 clients refused revision", "not for me"}, "rules", "apply", policyFile(t, "3s"), "--wait", "1m")
	if err := stubborn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown(1)
	x.says(exitOK, []string{"version 4 written", "obeyed by 1 client"}, "rules", "apply", policyFile(t, "4s"), "--wait", "1m")
	x.says(exitOK, []string{"unchanged", "obeyed by 1 client"}, "rules", "apply", policyFile(t, "4s"), "--wait", "1m")
}
