package etcd

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// at is a record of an instance at an address, created in one revision and
// modified in another.
func at(id, addr string, created, modified int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{
		Key:            []byte(DefaultPrefix + "instances/orders/" + id),
		Value:          fmt.Appendf(nil, `{"Addr":%q}`, addr),
		Lease:          1,
		CreateRevision: created,
		ModRevision:    modified,
	}
}

func put(kv *mvccpb.KeyValue) *mvccpb.Event { return &mvccpb.Event{Type: mvccpb.Event_PUT, Kv: kv} }

func gone(kv *mvccpb.KeyValue) *mvccpb.Event {
	return &mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: kv.Key}}
}

func orders(log *slog.Logger) *instances {
	return newInstances("orders", DefaultPrefix+"instances/orders/", DefaultMaxInstances, log)
}

func (s *instances) snapshot() discovery.Snapshot {
	var all discovery.Snapshot
	s.fill(&all)
	return all
}

func ids(s discovery.Snapshot) string {
	var all []string
	for _, i := range s.Instances {
		all = append(all, i.ID)
	}
	return strings.Join(all, " ")
}

func TestInstancesFoldEvents(t *testing.T) {
	a, b, c := at("a", "10.0.0.1:80", 1, 1), at("b", "10.0.0.2:80", 2, 2), at("c", "10.0.0.3:80", 3, 3)
	s := orders(slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"List", func() { s.replace([]*mvccpb.KeyValue{b, a}) }, "a b"},
		{"Add", func() { s.apply(put(c)) }, "a b c"},
		{"Delete", func() { s.apply(gone(b)) }, "a c"},
		{"DeleteOfNothing", func() { s.apply(gone(b)) }, "a c"},
		{"Update", func() { s.apply(put(at("a", "10.0.0.9:80", 1, 4))) }, "a c"},
		{"ListWithoutC", func() { s.replace([]*mvccpb.KeyValue{a, b}) }, "a b"},
		{"EmptyList", func() { s.replace(nil) }, ""},
	} {
		step.do()
		if got := s.snapshot(); ids(got) != step.want || got.Instances == nil {
			t.Errorf("after %s: %q, want %q", step.name, ids(got), step.want)
		}
	}
}

func TestYoungestRecordOfAnAddressCounts(t *testing.T) {
	const addr = "10.0.0.1:80"
	old, young := at("b", addr, 5, 90), at("a", addr, 9, 9)
	for _, c := range []struct {
		name   string
		events []*mvccpb.Event
		want   string
	}{
		{"OldThenYoung", []*mvccpb.Event{put(old), put(young)}, "a"},
		{"YoungThenOld", []*mvccpb.Event{put(young), put(old)}, "a"},
		{"YoungLeaves", []*mvccpb.Event{put(old), put(young), gone(young)}, "b"},
		{"OldLeaves", []*mvccpb.Event{put(old), put(young), gone(old)}, "a"},
		{"YoungMovesAway", []*mvccpb.Event{put(old), put(young), put(at("a", "10.0.0.2:80", 9, 99))}, "a b"},
		{"CreatedTogether", []*mvccpb.Event{put(at("a", addr, 5, 5)), put(at("b", addr, 5, 5))}, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 10 { // maps are read in random order
				s := orders(slog.New(slog.DiscardHandler))
				s.replace(nil)
				for _, e := range c.events {
					s.apply(e)
				}
				if got := ids(s.snapshot()); got != c.want {
					t.Fatalf("%q, want %q", got, c.want)
				}
			}
		})
	}
}

// Hostile metadata costs the metadata. Which records it was is told in the same
// order every time.
func TestDroppedMetadataIsCountedAndShown(t *testing.T) {
	s := orders(slog.New(slog.DiscardHandler))
	all := []*mvccpb.KeyValue{at("good", "10.0.0.1:80", 1, 1)}
	for n := range 20 {
		kv := at(fmt.Sprintf("odd%02d", n), fmt.Sprintf("10.0.1.%d:80", n), 2, 2)
		kv.Value = fmt.Appendf(nil, `{"Addr":"10.0.1.%d:80","Metadata":{"id":"odd%02d","meta":{"a":"x\r\ny","b":"\u0000","c":"ok"}}}`, n, n)
		all = append(all, kv)
	}
	s.replace(all)
	got := s.snapshot()
	if len(got.Instances) != 21 || got.Refused != 0 || got.Dropped != 40 || len(got.Drops) != discovery.MaxRefusals {
		t.Errorf("%d instances, %d refused, %d dropped, %d reasons; want 21, 0, 40 and %d",
			len(got.Instances), got.Refused, got.Dropped, len(got.Drops), discovery.MaxRefusals)
	}
	for n, d := range got.Drops {
		if d.Key != string(all[n+1].Key) || !strings.HasPrefix(d.Reason, "2 ") {
			t.Errorf("reason %d is %+v", n, d)
		}
	}
	for _, i := range got.Instances[1:] {
		if len(i.Meta) != 1 || i.Meta["c"] != "ok" {
			t.Errorf("%s has the metadata %q", i.ID, i.Meta)
		}
	}
	s.apply(put(at("odd00", "10.0.1.0:80", 2, 3)))
	if got := s.snapshot(); got.Dropped != 38 {
		t.Errorf("%d dropped after one record was mended, want 38", got.Dropped)
	}
}

func TestRefusalsAreCountedShownAndLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	s := orders(slog.New(slog.NewTextHandler(&log, nil)))
	good := at("good", "10.0.0.1:80", 1, 1)
	all := []*mvccpb.KeyValue{good}
	for n := range 20 {
		all = append(all, at(fmt.Sprintf("bad%02d", n), "nowhere", 2, 2))
	}
	lines := func() int { return strings.Count(log.String(), "instance record skipped") }
	s.replace(all)
	got := s.snapshot()
	if ids(got) != "good" || got.Refused != 20 || len(got.Refusals) != discovery.MaxRefusals {
		t.Errorf("%q with %d refused and %d reasons, want good, 20 and %d", ids(got), got.Refused, len(got.Refusals), discovery.MaxRefusals)
	}
	if r := got.Refusals[0]; r.Key != string(all[1].Key) || !strings.Contains(r.Reason, "Instance.Addr") {
		t.Errorf("the first refusal is %+v", r)
	}
	s.replace(all) // listed again
	if lines() != 20 {
		t.Errorf("%d lines in the log for 20 bad records, listed twice", lines())
	}
	s.apply(put(at("bad00", "still nowhere", 2, 3)))
	if lines() != 21 {
		t.Errorf("%d lines in the log after one bad record was changed, want 21", lines())
	}
	s.apply(put(at("bad00", "10.0.0.2:80", 2, 4)))
	s.apply(gone(all[2]))
	if got := s.snapshot(); ids(got) != "bad00 good" || got.Refused != 18 {
		t.Errorf("after one was mended and one left: %q with %d refused, want 18", ids(got), got.Refused)
	}
}

// Threat: somebody registers a million instances. What is kept is bounded, and
// every reader keeps the same, in whatever order the keys arrived.
func TestFloodIsBoundedAndTheChoiceIsTheSame(t *testing.T) {
	const most, total = 50, 190
	keys := make([]*mvccpb.KeyValue, total)
	for n := range keys {
		keys[n] = at(fmt.Sprintf("i%03d", n), fmt.Sprintf("10.0.%d.%d:80", n/250, n%250), int64(n+1), int64(n+1))
	}
	fresh := func() *instances {
		return newInstances("orders", DefaultPrefix+"instances/orders/", most, slog.New(slog.DiscardHandler))
	}
	listed, told := fresh(), fresh()
	listed.replace(slices.Clone(keys))
	for _, n := range rand.New(rand.NewPCG(1, 2)).Perm(total) {
		told.apply(put(keys[n]))
	}
	want := ids(listed.snapshot())
	if n := len(listed.shown); n != most || listed.surplus != total-most {
		t.Fatalf("%d shown and %d passed over, want %d and %d", n, listed.surplus, most, total-most)
	}
	if got := ids(told.snapshot()); got != want {
		t.Errorf("by events %q, by list %q", got, want)
	}
	// Whoever leaves makes room for the next, the same everywhere.
	for n := range 120 {
		listed.apply(gone(keys[n]))
	}
	again := fresh()
	again.replace(slices.Clone(keys[120:]))
	if got, want := ids(listed.snapshot()), ids(again.snapshot()); got != want || len(listed.shown) != most || listed.surplus != 20 {
		t.Errorf("after 120 left: %q with %d passed over, want %q", got, listed.surplus, want)
	}
	for n := range total {
		listed.apply(gone(keys[n]))
	}
	if len(listed.shown) != 0 || listed.surplus != 0 || len(listed.entries) != 0 || len(listed.at) != 0 {
		t.Errorf("in the end: %d shown, %d passed over, %d entries, %d addresses", len(listed.shown), listed.surplus, len(listed.entries), len(listed.at))
	}

	for n := range 10 * most {
		told.apply(put(at(fmt.Sprintf("f%05d", n), fmt.Sprintf("10.1.%d.%d:80", n/250, n%250), 999, 999)))
	}
	if n := len(told.entries); n > flooded*most || told.flood == 0 {
		t.Errorf("%d keys are kept of a flood, %d not; want at most %d", n, told.flood, flooded*most)
	}
}
