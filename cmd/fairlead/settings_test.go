package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// settingsFile writes settings that say what spec does, in YAML.
func settingsFile(t *testing.T, spec string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("# for the test\napiVersion: fairlead/v1alpha1\nkind: Settings\nspec: "+spec+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// board follows the settings that stand in etcd.
type board struct {
	terminal
	read func() string
}

func boardOf(t *testing.T) board {
	t.Helper()
	server := shared(t)
	client := server.Client(t)
	return board{terminalAt(t, server.Endpoint()), func() string {
		t.Helper()
		r, err := client.Get(t.Context(), prefix(t)+"settings")
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Kvs) == 0 {
			return ""
		}
		return strings.TrimPrefix(string(r.Kvs[0].Value), `{"apiVersion":"fairlead/v1alpha1","kind":"Settings",`)
	}}
}

// Each change leaves what is wanted, and what it says would undo it does.
func TestSwitches(t *testing.T) {
	t.Parallel()
	b := boardOf(t)
	for _, c := range []struct {
		args, before, after string // documents after their head; "": there is none
		says                []string
	}{
		{"off mirror fault", ``, `"spec":{"off":["mirror","fault"]}}`, []string{"version 1, written", "all services: mirror, fault off", "undo: fairlead settings delete"}},
		{"off mirror mirror lane", `"spec":{"off":["lane","fault"]}}`, `"spec":{"off":["lane","fault","mirror"]}}`, []string{"undo: fairlead settings rollback "}},
		{"off retries --service orders", `"spec":{"off":["lane"]}}`, `"spec":{"off":["lane"],"services":{"orders":{"off":["retries"]}}}}`, []string{"all services: lane off", "orders: retries off", "orders has no instance in etcd"}},
		{"on mirror fault", `"spec":{"off":["mirror","lane","fault","mirror"],"services":{"a":{"off":["mirror"]}}}}`, `"spec":{"off":["lane"],"services":{"a":{"off":["mirror"]}}}}`, []string{"all services: lane off", "a: mirror off"}},
		{"on retries --service orders", `"spec":{"off":["lane"],"services":{"orders":{"off":["retries"]}}}}`, `"spec":{"off":["lane"]}}`, nil},
		{"on retries --service orders", `"spec":{"services":{"orders":{"off":["retries"]}}}}`, ``, []string{"deleted"}},
		{"on mirror", `"metadata":{"labels":{"team":"a"}},"spec":{"off":["mirror"]}}`, `"metadata":{"labels":{"team":"a"}},"spec":{}}`, []string{"nothing is switched off"}},
		{"safe-mode on", ``, `"spec":{"safeMode":true}}`, []string{"all services: safe mode"}},
		{"safe-mode on --service orders", `"spec":{"services":{"orders":{"off":["lane"]}}}}`, `"spec":{"services":{"orders":{"safeMode":true,"off":["lane"]}}}}`, []string{"orders: safe mode, lane off"}},
		{"safe-mode off", `"spec":{"safeMode":true,"services":{"orders":{"safeMode":true}}}}`, `"spec":{"services":{"orders":{"safeMode":true}}}}`, []string{"orders: safe mode"}},
		{"safe-mode off", `"spec":{"safeMode":true}}`, ``, []string{"deleted"}},
		{"delete", `"spec":{"safeMode":true}}`, ``, []string{"deleted"}},
		{"apply " + settingsFile(t, "{off: [routes]}"), `"spec":{"safeMode":true}}`, `"spec":{"off":["routes"]}}`, []string{"all services: routes off"}},
	} {
		b.stand(c.before)
		args := append([]string{"settings"}, strings.Fields(c.args)...)
		b.says(exitOK, []string{"dry run"}, append(args, "--dry-run")...)
		if now := b.read(); now != c.before {
			t.Errorf("after a dry run of %q there is %s", c.args, now)
		}
		a := b.says(exitOK, c.says, args...)
		if now := b.read(); now != c.after {
			t.Errorf("after %q there is %s, want %s", c.args, now, c.after)
		}
		if !strings.HasPrefix(c.args, "apply") {
			b.says(exitOK, []string{"unchanged"}, args...)
		}
		b.undo(a)
		if now := b.read(); now != c.before {
			t.Errorf("after %q and its undo there is %s, there was %s", c.args, now, c.before)
		}
	}
}

// stand makes a document the settings.
func (b board) stand(document string) {
	b.t.Helper()
	if document == "" {
		b.says(exitOK, nil, "settings", "delete")
		return
	}
	b.check(b.pipe(`{"apiVersion":"fairlead/v1alpha1","kind":"Settings",`+document, "settings", "apply", "-"), exitOK, nil, nil)
	if now := b.read(); now != document {
		b.t.Fatalf("there is %s, want %s", now, document)
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := boardOf(t)
	const features = "allowed are rules, routes, filters, lane, mirror, fault, timeout, loadBalancer, outlierDetection, healthCheck, retries, hedge, circuitBreaker, outcomes, onFailure, faultTolerance, priority, limits, concurrency, throttle, server, gateway, telemetry"
	for _, c := range []struct {
		args string
		says []string
	}{
		{"off mirrors", []string{`feature "mirrors"`, features}},
		{"on lane Mirror", []string{`feature "Mirror"`, features}},
		{"off", []string{"at least 1 arg"}},
		{"safe-mode yes", []string{`"yes": allowed are on and off`}},
		{"safe-mode", []string{"1 arg"}},
		{"off lane --service=", []string{"--service"}},
		{"off lane --service Orders", []string{"--service", "Orders"}},
		{"apply " + settingsFile(t, "{off: [mirrors], safemode: true}"), []string{"settings.yaml:4:", "safemode"}},
		{"check " + settingsFile(t, "{off: [mirrors]}"), []string{"settings.yaml:4:", features}},
		{"check " + policyFile(t, "1s"), []string{"spec.service", "unknown"}},
		{"rollback 0", []string{"a number from 1"}},
		{"rollback", []string{"no version of the settings"}},
		{"get", []string{"there are no settings"}},
	} {
		b.says(exitInvalid, c.says, append([]string{"settings"}, strings.Fields(c.args)...)...)
	}
	if now := b.read(); now != "" {
		t.Errorf("there is %s", now)
	}
	b.says(exitOK, []string{"unchanged, there are none"}, "settings", "delete")
	b.says(exitOK, []string{"unchanged, there are none"}, "settings", "on", "lane")
	b.stand(`"spec":{}}`)
	b.says(exitOK, []string{"unchanged at revision", "nothing is switched off"}, "settings", "on", "lane")
}

func TestSettingsComeAndGo(t *testing.T) {
	t.Parallel()
	b := boardOf(t)
	file := settingsFile(t, "{off: [mirror, fault], services: {orders: {safeMode: true}}}")
	b.says(exitOK, []string{"valid, settings"}, "settings", "check", file)
	b.says(exitOK, []string{"version 1, written"}, "settings", "apply", file, "--by", "ann", "--reason", "load")
	b.says(exitOK, []string{"unchanged"}, "settings", "apply", file, "--reason", "again")
	for _, form := range []string{"table", "yaml", "json"} {
		a := b.says(exitOK, []string{"safeMode"}, "settings", "get", "-o", form)
		b.check(b.pipe(a.out, "settings", "apply", "-"), exitOK, []string{"unchanged"}, nil)
	}
	var said outcome
	a := b.says(exitOK, nil, "settings", "off", "lane", "-o", "json")
	if err := json.Unmarshal([]byte(a.out), &said); err != nil || said.Version != 2 || said.Revision == 0 || said.Undo != "fairlead settings rollback 1" || len(said.Notes) != 2 {
		t.Errorf("as data: %+v, %v", said, err)
	}
	a = b.says(exitOK, []string{"-  - lane", "+++ version 1"}, "settings", "rollback", "--dry-run")
	b.says(exitOK, []string{"version 3, written"}, "settings", "rollback")
	b.says(exitOK, []string{"version 4, deleted"}, "settings", "delete")
	b.says(exitInvalid, []string{"version 4 of the settings is a deletion"}, "settings", "rollback", "4")
	b.says(exitOK, []string{"4 ", "deleted", "ann", "load"}, "settings", "history")
	var all []past
	if err := json.Unmarshal([]byte(b.says(exitOK, nil, "settings", "history", "-o", "json").out), &all); err != nil || len(all) != 4 || all[3].By != "ann" || all[3].Reason != "load" {
		t.Errorf("history as data: %+v, %v", all, err)
	}
}

// What somebody put with another tool can be edited or, if it is no valid
// document, replaced.
func TestSettingsWrittenByOtherMeans(t *testing.T) {
	t.Parallel()
	b := boardOf(t)
	server := shared(t)
	put(t, server, "settings", `{"kind":"Settings","apiVersion":"fairlead/v1alpha1","spec":{"off":["lane"]}}`)
	a := b.says(exitOK, []string{"version 2", "lane, fault off"}, "settings", "off", "fault")
	b.undo(a)
	if now := b.read(); now != `"spec":{"off":["lane"]}}` {
		t.Errorf("there is %s", now)
	}
	put(t, server, "settings", `{"kind":"none"}`)
	b.says(exitInvalid, []string{`{"kind":"none"}`, "no valid document"}, "settings", "get")
	b.says(exitInvalid, []string{"cannot be edited", "settings apply", "apiVersion"}, "settings", "off", "fault")
	b.says(exitOK, []string{"cannot be put back"}, "settings", "delete")
	b.says(exitOK, nil, "settings", "safe-mode", "on")
}

// Two operators who read the same settings do not both write.
func TestSettingsInConflict(t *testing.T) {
	t.Parallel()
	b := boardOf(t)
	b.says(exitOK, nil, "settings", "off", "lane")
	s := &session{env: func(name string) string { return b.env[name] }, stdout: t.Output()}
	if err := s.settle(s.root().PersistentFlags()); err != nil {
		t.Fatal(err)
	}
	err := s.putSettings(t.Context(), func(_ context.Context, _ *etcd.Operator, stands etcd.RuleVersion) (proposal, error) {
		b.says(exitOK, nil, "settings", "off", "fault") // somebody else is faster
		d, err := flip{safeMode: true, off: true}.edit(stands, "")
		return proposal{settings: d}, err
	})
	if err == nil || !strings.Contains(err.Error(), "somebody else has changed the settings") {
		t.Errorf("error %v", err)
	}
	if now := b.read(); now != `"spec":{"off":["lane","fault"]}}` {
		t.Errorf("there is %s", now)
	}
}
