package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

func word(id, value string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(DefaultPrefix + "overrides/orders/" + id), Value: []byte(value)}
}

func TestDecodeOverride(t *testing.T) {
	until := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        Override
		refuse      string // part of the reason; "": accepted
	}{
		{"Drain", `{"state":"drain"}`, Override{Drain: true}, ""},
		{"Weight", `{"weight":7}`, Override{Weight: 7}, ""},
		{"All", `{"state":"drain","weight":7,"by":"ann","reason":"disk","until":"2026-05-01T12:00:00Z"}`, Override{true, 7, "ann", "disk", until}, ""},
		{"Nothing", `{}`, Override{}, ""},
		{"Misspelt", `{"sate":"drain"}`, Override{}, "unknown field"},
		{"UnknownState", `{"state":"drian"}`, Override{}, `allowed is "drain"`},
		{"WeightTooLarge", `{"weight":10001}`, Override{}, "Override.Weight"},
		{"WeightNegative", `{"weight":-1}`, Override{}, "Override.Weight"},
		{"Twice", `{"weight":1,"weight":2}`, Override{}, "twice"},
		{"Trailing", `{"weight":1}{}`, Override{}, "more than one"},
		{"NotJSON", `drain`, Override{}, "invalid"},
		{"TooLarge", `{"reason":"` + strings.Repeat("x", maxRecord) + `"}`, Override{}, "8192"},
		{"BadTime", `{"until":"tomorrow"}`, Override{}, "parsing time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeOverride(word("a", c.value))
			if c.refuse == "" {
				if err != nil || got != c.want {
					t.Fatalf("%+v, %v; want %+v", got, err, c.want)
				}
				value, err := got.encode()
				if again, err2 := decodeOverride(word("a", value)); err != nil || err2 != nil || again != got {
					t.Errorf("written again as %s: %+v, %v, %v", value, again, err, err2)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("%+v, %v; want it refused for %q", got, err, c.refuse)
			}
		})
	}
}

// shown is what readers of the feed see: ID, weight, and "!" for draining.
func shown(f *feed) string {
	var all []string
	for _, i := range f.latest().snapshot.Instances {
		all = append(all, fmt.Sprintf("%s:%d", i.ID, i.Weight)+map[bool]string{true: "!"}[i.Draining])
	}
	return strings.Join(all, " ")
}

func TestOverridesAreMergedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := ordersFeed(&log, time.Time{})
		f.stop = func() {}
		defer f.end(nil)
		f.replace([]*mvccpb.KeyValue{at("a", "10.0.0.1:80", 1, 1), at("b", "10.0.0.2:80", 2, 2)}, 7)
		events := func(all ...*mvccpb.Event) {
			overrideSink{f}.apply(all, 9)
			time.Sleep(coalesce)
			synctest.Wait()
		}
		want := func(want string) {
			t.Helper()
			if got := shown(f); got != want {
				t.Errorf("readers see %q, want %q", got, want)
			}
		}
		put := func(id, value string) *mvccpb.Event {
			return &mvccpb.Event{Type: mvccpb.Event_PUT, Kv: word(id, value)}
		}
		want("a:0 b:0")
		b := f.latest().snapshot.Instances[1]

		events(put("a", `{"state":"drain"}`))
		want("a:0! b:0")
		if f.latest().snapshot.Instances[1] != b {
			t.Error("an instance that nobody overrode has another pointer")
		}
		events(put("a", `{"weight":7}`), put("nobody", `{"weight":7}`))
		want("a:7 b:0")

		f.apply([]*mvccpb.Event{put2("a", "10.0.0.9:80")}, 10) // the instance registers again
		time.Sleep(coalesce)
		want("a:7 b:0")

		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		events(put("b", `{"state":"drain","until":"`+until+`"}`))
		want("a:7 b:0!")
		time.Sleep(time.Hour - time.Second)
		want("a:7 b:0!")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want("a:7 b:0")

		events(put("a", `{"wieght":9}`)) // a mistake takes back what stood there, and is shown
		want("a:0 b:0")
		if w := f.watchState(); w.OverridesRefused["a"] == "" || len(w.Overrides) != 2 {
			t.Errorf("state %+v, want the refusal of a, and two overrides", w)
		}
		events(&mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: word("a", "")})
		want("a:0 b:0")

		events(put("b/1", `{"weight":9}`)) // nobody's key
		if w := f.watchState(); !strings.Contains(w.OverridesRefused["b/1"], "overrides/<service>/<id>") || len(w.OverridesRefused) != 1 {
			t.Errorf("state %+v, want the refusal of b/1", w)
		}
		events(&mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: word("b/1", "")})
		if w := f.watchState(); len(w.OverridesRefused) != 0 {
			t.Errorf("state %+v, want no refusal", w)
		}
		overrideSink{f}.replace([]*mvccpb.KeyValue{word("b", `{"weight":3}`)}, 11)
		time.Sleep(coalesce)
		want("a:0 b:3")
	})
}

func put2(id, addr string) *mvccpb.Event { return put(at(id, addr, 1, 10)) }

// Nobody is to see an instance serve that its operator drained: the first list
// waits for the overrides. Who may not read them gets the list all the same.
func TestFirstListWaitsForOverrides(t *testing.T) {
	for name, settle := range map[string]func(overrideSink){
		"Drained":   func(o overrideSink) { o.replace([]*mvccpb.KeyValue{word("a", `{"state":"drain"}`)}, 7) },
		"Forbidden": func(o overrideSink) { o.trouble(errors.New("permission denied")) },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f := ordersFeed(&log, time.Time{})
			f.overrides.settled = false
			f.replace([]*mvccpb.KeyValue{at("a", "10.0.0.1:80", 1, 1)}, 7)
			if s := f.latest().snapshot; s.State != discovery.Cold || len(s.Instances) != 0 {
				t.Errorf("before the overrides are known: %+v", s)
			}
			settle(overrideSink{f})
			s := f.latest().snapshot
			if s.State != discovery.Live || len(s.Instances) != 1 || s.Instances[0].Draining != (name == "Drained") {
				t.Errorf("after: %+v", s)
			}
		})
	}
}
