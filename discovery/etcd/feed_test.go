package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/fairlead-go/fairlead/discovery"
)

var errDown = errors.New("down")

func ordersFeed(log *bytes.Buffer, heard time.Time) *feed {
	f := newFeed(keys{prefix: DefaultPrefix}, "orders", DefaultMaxInstances, slog.New(slog.NewTextHandler(log, nil)), func() time.Time { return heard })
	overrideSink{f}.replace(nil, 1)
	return f
}

func TestFeedKeepsTheListThroughTrouble(t *testing.T) {
	var log bytes.Buffer
	heard := time.Now().Add(time.Minute) // a proof that came after the list
	f := ordersFeed(&log, heard)
	if r := f.latest(); r.version != 0 || r.snapshot.State != discovery.Cold {
		t.Errorf("before anything is known: %+v", r)
	}

	f.trouble(errDown)
	r := f.latest()
	if r.snapshot.State != discovery.Cold || !errors.Is(r.err, errDown) || len(r.snapshot.Instances) != 0 || !r.snapshot.AsOf.IsZero() {
		t.Errorf("in trouble from the start: %+v", r)
	}

	f.replace([]*mvccpb.KeyValue{at("a", "10.0.0.1:80", 1, 1)}, 7)
	r = f.latest()
	if r.snapshot.State != discovery.Live || r.err != nil || ids(r.snapshot) != "a" || r.snapshot.Revision != 7 {
		t.Errorf("with a list: %+v", r)
	}

	f.trouble(errDown)
	told := f.latest()
	if told.snapshot.State != discovery.Stale || !errors.Is(told.err, errDown) || ids(told.snapshot) != "a" || told.snapshot.Revision != 7 || !told.snapshot.AsOf.Equal(heard) {
		t.Errorf("in trouble with a list: %+v, want it stale, as of %s", told, heard)
	}
	if r.snapshot.State != discovery.Live {
		t.Error("a snapshot that was handed out has changed")
	}

	f.trouble(errors.New("down in another way"))
	if again := f.latest(); again.version != told.version {
		t.Errorf("trouble is told twice: %+v", again)
	}
	select {
	case <-told.outdated:
		t.Error("readers are woken for trouble that they know")
	default:
	}

	// Nobody waits for etcd any more but for an operator.
	f.trouble(named(rpctypes.ErrPermissionDenied))
	if r := f.latest(); !errors.Is(r.err, discovery.ErrUnauthorized) || r.version == told.version || ids(r.snapshot) != "a" {
		t.Errorf("refused after it was down: %+v", r)
	}

	f.apply(nil, 7)
	if r := f.latest(); r.snapshot.State != discovery.Live || r.err != nil || ids(r.snapshot) != "a" || r.version == told.version {
		t.Errorf("after the trouble: %+v", r)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 3 {
		t.Errorf("%d warnings for three troubles:\n%s", got, log.String())
	}
}

// A revision becomes visible as a whole: nobody sees half of a transaction.
func TestFeedAppliesARevisionAsOne(t *testing.T) {
	var log bytes.Buffer
	f := ordersFeed(&log, time.Time{})
	a, b := at("a", "10.0.0.1:80", 1, 1), at("b", "10.0.0.2:80", 8, 8)
	f.replace([]*mvccpb.KeyValue{a}, 7)
	before := f.latest()
	f.apply([]*mvccpb.Event{gone(a), put(b)}, 8)
	<-before.outdated
	after := f.latest()
	if after.version != before.version+1 || ids(after.snapshot) != "b" || after.snapshot.Revision != 8 {
		t.Errorf("one transaction makes %d versions and %q", after.version-before.version, ids(after.snapshot))
	}
	if ids(before.snapshot) != "a" {
		t.Error("a snapshot that was handed out has changed")
	}
}

func TestFeedMakesASnapshotOnlyOnce(t *testing.T) {
	var log bytes.Buffer
	f := ordersFeed(&log, time.Time{})
	f.replace([]*mvccpb.KeyValue{at("a", "10.0.0.1:80", 1, 1)}, 7)
	one, two := f.latest(), f.latest()
	if &one.snapshot.Instances[0] != &two.snapshot.Instances[0] {
		t.Error("two readers of one version have a copy each")
	}
}

// Fault row 33: however fast a list changes, readers hear of it ten times a
// second, of the first change at once and of the last in time.
func TestChangesAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := ordersFeed(&log, time.Time{})
		f.stop = func() {}
		defer f.end(nil)
		f.replace([]*mvccpb.KeyValue{at("a", "10.0.0.1:80", 1, 1)}, 1)
		time.Sleep(time.Second)

		before := f.latest()
		revision := int64(10)
		change := func() {
			revision++
			f.apply([]*mvccpb.Event{put(at("b", fmt.Sprintf("10.0.0.2:%d", revision), 2, revision))}, revision)
		}
		change()
		if now := f.latest(); now.version != before.version+1 {
			t.Error("the first change after a rest is not told at once")
		}
		for range 999 {
			time.Sleep(10 * time.Millisecond)
			change()
		}
		time.Sleep(coalesce)
		synctest.Wait()
		after := f.latest()
		if n := after.version - before.version; n < 90 || n > 102 {
			t.Errorf("%d reports of 1000 changes in ten seconds, want ten a second", n)
		}
		if s := after.snapshot; s.Revision != revision || s.Instances[1].Addr != fmt.Sprintf("10.0.0.2:%d", revision) {
			t.Errorf("the last report is of revision %d: %+v", s.Revision, s.Instances[1])
		}
	})
}

func TestUnchangedInstancesKeepTheirPointers(t *testing.T) {
	var log bytes.Buffer
	f := ordersFeed(&log, time.Time{})
	a, b := at("a", "10.0.0.1:80", 1, 1), at("b", "10.0.0.2:80", 2, 2)
	f.replace([]*mvccpb.KeyValue{a, b}, 7)
	before := f.latest().snapshot.Instances
	a2 := at("a", "10.0.0.1:80", 1, 8) // written again as it was
	f.replace([]*mvccpb.KeyValue{a2, at("b", "10.0.0.3:80", 2, 9)}, 9)
	f.flush()
	after := f.latest().snapshot.Instances
	if after[0] != before[0] || after[1] == before[1] {
		t.Errorf("a kept its pointer: %t, b got another: %t; want both", after[0] == before[0], after[1] != before[1])
	}
}
