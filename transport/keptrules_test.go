package transport_test

import (
	"os"
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// lostRules is a rulebook that was never heard: etcd is down.
func lostRules() *fairleadtest.Rulebook {
	r := new(fairleadtest.Rulebook)
	r.Lose(true)
	return r
}

// A process that starts while the registry is down goes by the rules and the
// settings that the last one knew, from its first call on.
func TestRulesOnDisk(t *testing.T) {
	off := rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{"routes"}}}}
	for _, c := range []struct {
		name  string
		lived func(governed) // what the first process hears
		want  string         // where the calls of the second go
	}{
		{"None", func(governed) {}, "v1-a v2-a"},
		{"Rules", func(g governed) { g.Put(ordersPolicy(to("v2"))) }, "v2-a"},
		{"TheLastGoodOnes", func(g governed) {
			g.Put(ordersPolicy(to("v2")))
			settled()
			g.PutText("orders", []byte("{}"))
		}, "v2-a"},
		{"Deleted", func(g governed) {
			g.Put(ordersPolicy(to("v2")))
			settled()
			g.PutText("orders", nil)
		}, "v1-a v2-a"},
		{"Settings", func(g governed) { g.Put(ordersPolicy(to("v2"))); g.PutSettings(off) }, "v1-a v2-a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				g := versions("v1-a", "v2-a")
				earlier := newMesh(t, g, d.option())
				if err := earlier.Do(t.Context(), get(), g.Door(earlier)); err != nil {
					t.Fatal(err)
				}
				c.lived(g)
				settled()
				if err := earlier.Close(t.Context()); err != nil {
					t.Fatal(err)
				}

				g.Rulebook = lostRules()
				g.Fail(errDown)
				m := newMesh(t, g, d.option())
				if got := g.goesTo(t, m); got != c.want {
					t.Errorf("calls go to %s, want %s", got, c.want)
				}
				settled()
				if r := service(t, m).Rules; r.Live || r.Trouble == "" || (r.Revision != 0) != (c.name != "None" && c.name != "Deleted") {
					t.Errorf("shown are %+v", r)
				}
				g.Lose(false) // and there is nothing
				settled()
				if r := service(t, m).Rules; !r.Live || r.Revision != 0 {
					t.Errorf("once the source is heard: %+v", r)
				}
			})
		})
	}
}

// What is on disk comes before a source that the registry comes before.
func TestRulesOnDiskComeBeforeOtherSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		g := versions("v1-a", "v2-a")
		m := newMesh(t, g, d.option())
		g.Put(ordersPolicy(to("v2")))
		if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
			t.Fatal(err)
		}
		settled()
		m.Close(t.Context())
		below, err := rule.Static(ordersPolicy(to("v1")))
		if err != nil {
			t.Fatal(err)
		}
		g.Rulebook = lostRules()
		m = newMesh(t, g, d.option(), transport.WithRules(below))
		goes := func(want string) {
			t.Helper()
			settled()
			call := get()
			if err := m.Do(t.Context(), call, g.Door(m)); err != nil || call.Instance() != want {
				t.Errorf("a call goes to %s, want %s: %v", call.Instance(), want, err)
			}
		}
		goes("v2-a")
		goes("v2-a")
		g.Lose(false) // the registry has none any more
		goes("v1-a")
		if r := service(t, m).Rules; r.Origin != "code" {
			t.Errorf("shown are %+v", r)
		}
		g.Put(ordersPolicy(to("v2")))
		goes("v2-a")
	})
}

func TestADamagedDocumentOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		g := versions("v1-a")
		var log logged
		if err := os.MkdirAll(string(d.SnapshotDir), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"/orders.rules", "/.settings"} {
			if err := os.WriteFile(string(d.SnapshotDir)+file, []byte("?"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m := newMesh(t, g, d.option(), log.option())
		if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
			t.Fatal(err)
		}
		if log.lines("document on disk cannot be used") != 2 {
			t.Errorf("the log is\n%s", log.text.String())
		}
	})
}
