package etcd

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

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

	f.apply(nil, 7)
	if r := f.latest(); r.snapshot.State != discovery.Live || r.err != nil || ids(r.snapshot) != "a" || r.version == told.version {
		t.Errorf("after the trouble: %+v", r)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 2 {
		t.Errorf("%d warnings for two troubles:\n%s", got, log.String())
	}
}

// A revision becomes visible as a whole: nobody sees half of a transaction.
func TestFeedAppliesARevisionAsOne(t *testing.T) {
	var log bytes.Buffer
	f := ordersFeed(&log, time.Time{})
	a, b := at("a", "10.0.0.1:80", 1, 1), at("b", "10.0.0.2:80", 8, 8)
	f.replace([]*mvccpb.KeyValue{a}, 7)
	before := f.latest()
	f.apply([]*clientv3.Event{(*clientv3.Event)(gone(a)), (*clientv3.Event)(put(b))}, 8)
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
