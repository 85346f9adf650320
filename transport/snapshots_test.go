package transport_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// disk is a directory for snapshots that does not exist yet.
type disk struct{ discovery.SnapshotDir }

func newDisk(t testing.TB) disk {
	return disk{discovery.SnapshotDir(filepath.Join(t.TempDir(), "snapshots"))}
}

func (d disk) option() transport.Option { return transport.WithSnapshotDir(string(d.SnapshotDir)) }

// hold saves a list of orders as an earlier process did.
func (d disk) hold(t testing.TB, instances ...discovery.Instance) {
	t.Helper()
	if err := d.Save(discovery.Snapshot{Service: "orders", Revision: 7, State: discovery.Live, Instances: discovery.List(instances...)}); err != nil {
		t.Fatal(err)
	}
}

// ids returns whom the file of orders names; ok is false if there is none.
func (d disk) ids() (ids []string, ok bool) {
	s, err := d.Load("orders")
	for _, i := range s.Instances {
		ids = append(ids, i.ID)
	}
	return ids, err == nil
}

// file is what can be told of the file of orders from outside; a write makes it
// another one.
func (d disk) file(t testing.TB) os.FileInfo {
	t.Helper()
	info, err := os.Stat(d.Path("orders"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// down is a fleet of instances that can be reached and whose registry never
// could.
func down(ids ...string) *fairleadtest.Fleet {
	fleet := fairleadtest.NewFleet()
	fleet.Fail(errDown)
	fleet.Add(fairleadtest.Instances("orders", ids...)...)
	return fleet
}

// A process that starts while the registry is down calls whom the last one
// knew, at once, and shows of what age that is.
func TestCallsBeginWithTheListFromDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		fleet := orders("a", "b", "c")
		earlier := newMesh(t, fleet, d.option())
		if err := earlier.Do(t.Context(), get(), fleet.Door(earlier)); err != nil {
			t.Fatal(err)
		}
		earlier.Close(t.Context())
		time.Sleep(time.Hour)

		var log logged
		fleet = down("a", "b", "c")
		m := newMesh(t, fleet, d.option(), log.option())
		began := time.Now()
		for range 10 {
			if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the calls waited %v", waited)
		}
		synctest.Wait()
		s := service(t, m)
		if s.State != discovery.Stale || s.Age != time.Hour || s.Trouble != errDown.Error() || len(s.Instances) != 3 {
			t.Errorf("it shows %d instances, %v for %v, trouble %q", len(s.Instances), s.State, s.Age, s.Trouble)
		}
		if s.Snapshot == nil || !s.Snapshot.Loaded || s.Snapshot.Age != time.Hour || s.Snapshot.File != d.Path("orders") || s.Snapshot.Trouble != "" {
			t.Errorf("of the file it shows %+v", s.Snapshot)
		}
		fleet.Fail(errDown) // once more
		synctest.Wait()
		if log.lines("loaded from disk") != 1 || log.lines("age=1h0m0s") != 1 || log.lines("not live") != 1 || log.lines("state=stale instances=3") != 1 || log.lines("list is live") != 0 {
			t.Errorf("the log is\n%s", log.text.String())
		}

		fleet.Heal()
		fleet.Remove("c")
		synctest.Wait()
		if s := service(t, m); s.State != discovery.Live || s.Age != 0 || s.Trouble != "" || len(s.Instances) != 2 || !s.Snapshot.Loaded {
			t.Errorf("after the registry came back: %+v", s)
		}
		if log.lines("list is live") != 1 {
			t.Errorf("the log is\n%s", log.text.String())
		}
	})
}

// What the first call meets, by what is on disk and what the registry says.
func TestTheFirstCallByDiskAndRegistry(t *testing.T) {
	damaged := func(t *testing.T, d disk) {
		d.hold(t, fairleadtest.Instances("orders", "a")...)
		if err := os.Truncate(d.Path("orders"), 100); err != nil {
			t.Fatal(err)
		}
	}
	saved := func(t *testing.T, d disk) { d.hold(t, fairleadtest.Instances("orders", "a")...) }
	nothing := func(*testing.T, disk) {}
	silent := func() discovery.Registry { return make(scripted) }
	unreachable := func() discovery.Registry { return down("a") }
	for _, tt := range []struct {
		name     string
		disk     func(*testing.T, disk)
		registry func() discovery.Registry
		waits    time.Duration // of the second that the call has
		fails    error
		loaded   bool
		trouble  string // with the file
		failures int64
	}{
		{"a list, and a silent registry", saved, silent, 0, nil, true, "", 0},
		{"a list, and a registry that is down", saved, unreachable, 0, nil, true, "", 0},
		{"no list, and a silent registry", nothing, silent, time.Second, context.DeadlineExceeded, false, "", 0},
		{"no list, and a registry that is down", nothing, unreachable, 0, balancer.ErrNoInstances, false, "", 0},
		{"a damaged list, and a silent registry", damaged, silent, time.Second, context.DeadlineExceeded, false, "damaged", 1},
		{"a damaged list, and a registry that is down", damaged, unreachable, 0, balancer.ErrNoInstances, false, "damaged", 1},
		{"a list of nobody", func(t *testing.T, d disk) { d.hold(t) }, unreachable, 0, balancer.ErrNoInstances, false, "none of its 0 records", 1},
		{"a list of nobody good", func(t *testing.T, d disk) {
			d.hold(t, discovery.Instance{ID: "a", Service: "orders", Addr: "2130706433:80"})
		}, unreachable, 0, balancer.ErrNoInstances, false, "none of its 1 records", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				d := newDisk(t)
				tt.disk(t, d)
				m := newMesh(t, tt.registry(), d.option(), log.option())
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				if err := m.Do(ctx, get(), instant{m}); !errors.Is(err, tt.fails) {
					t.Errorf("error is %v, want %v", err, tt.fails)
				}
				if waited := time.Since(began); waited != tt.waits {
					t.Errorf("it waited %v, want %v", waited, tt.waits)
				}
				s := service(t, m).Snapshot
				if s.Loaded != tt.loaded || !strings.Contains(s.Trouble, tt.trouble) || (s.Trouble == "") != (tt.trouble == "") || s.Failures != tt.failures {
					t.Errorf("of the file it shows %+v", s)
				}
				if lines := log.lines("cannot be used"); lines != int(tt.failures) {
					t.Errorf("it is logged %d times", lines)
				}
			})
		})
	}
}

// Doors follow views: they are given the list from disk and then that of the
// registry.
func TestViewsBeginWithTheListFromDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		d.hold(t, fairleadtest.Instances("orders", "a", "b")...)
		registry := make(scripted)
		m := newMesh(t, registry, d.option())
		views, err := m.Views(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for view := range views {
			seen = append(seen, fmt.Sprintf("%v %d", view.Snapshot.State, len(view.Nodes)))
			if len(seen) == 2 {
				break
			}
			go registry.say(fixture.Snapshot("orders", 5), nil)
		}
		if !slices.Equal(seen, []string{"stale 2", "live 5"}) {
			t.Errorf("views were %v", seen)
		}
	})
}

// What a call showed of an instance from disk is not forgotten when the
// registry confirms it.
func TestNodesFromDiskStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		d.hold(t, fairleadtest.Instances("orders", "a")...)
		fleet := down("a")
		fleet.Play("a", fairleadtest.OK().After(20*time.Millisecond))
		m := newMesh(t, fleet, d.option())
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatal(err)
		}
		fleet.Heal()
		synctest.Wait()
		if s := service(t, m); s.State != discovery.Live || s.Instances[0].Stats.Latency != 20*time.Millisecond {
			t.Errorf("%v, with %+v", s.State, s.Instances[0].Stats)
		}
	})
}

// Only a list that the registry vouches for and that names somebody is saved;
// any other leaves the file as it is.
func TestWhatIsSaved(t *testing.T) {
	three := snapshotOf(discovery.Live)
	all := []string{"i00000", "i00001", "i00002"}
	for _, tt := range []struct {
		name     string
		snapshot discovery.Snapshot
		err      error
		want     []string // nil: the file is not touched
	}{
		{"a live list", three, nil, all},
		{"a live list with malformed records beside it", discovery.Snapshot{State: discovery.Live, Instances: three.Instances, Refused: 1}, nil, all},
		{"a stale list", snapshotOf(discovery.Stale), errDown, nil},
		{"no list", snapshotOf(discovery.Cold), errDown, nil},
		{"an empty list", fixture.Snapshot("orders", 0), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				d.hold(t, fairleadtest.Instances("orders", "before")...)
				before := d.file(t)
				registry := make(scripted)
				m := newMesh(t, registry, d.option())
				m.Do(canceled(), get(), never(t))
				registry.say(tt.snapshot, tt.err)
				time.Sleep(time.Hour)
				m.Close(t.Context())
				got, ok := d.ids()
				switch {
				case tt.want == nil && !os.SameFile(before, d.file(t)):
					t.Errorf("the file was written: it names %v", got)
				case tt.want != nil && (!ok || !slices.Equal(got, tt.want)):
					t.Errorf("the file names %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// What the registry vouched for is saved although it could not be heard any
// more when its turn came, and is as old as it is.
func TestTheLastLiveListIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		registry := make(scripted)
		m := newMesh(t, registry, d.option())
		m.Do(canceled(), get(), never(t))
		registry.say(snapshotOf(discovery.Live), nil)
		time.Sleep(time.Second)
		vouched := time.Now()
		registry.say(fixture.Snapshot("orders", 5), nil)
		time.Sleep(time.Second)
		registry.say(snapshotOf(discovery.Stale), errDown)
		time.Sleep(time.Minute)
		if s, err := d.Load("orders"); err != nil || len(s.Instances) != 5 || !s.AsOf.Equal(vouched) {
			t.Errorf("the file names %d instances as of %v, want 5 as of %v (%v)", len(s.Instances), s.AsOf, vouched, err)
		}
	})
}

// However fast a list changes, its file is written at most every five seconds,
// and when the mesh closes it holds the last list.
func TestAFileIsWrittenAtMostEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		registry := make(scripted)
		m := newMesh(t, registry, d.option())
		m.Do(canceled(), get(), never(t))

		var writes []time.Time // when a file came that was another one
		var last os.FileInfo
		look := func() {
			synctest.Wait()
			if now, err := os.Stat(d.Path("orders")); err == nil && (last == nil || !os.SameFile(last, now)) {
				last, writes = now, append(writes, time.Now())
			}
		}
		const changes = 600
		for n := range changes { // in 60 s
			registry.say(fixture.Snapshot("orders", 1+n), nil)
			look()
			time.Sleep(100 * time.Millisecond)
		}
		for n := 1; n < len(writes); n++ {
			if after := writes[n].Sub(writes[n-1]); after < 5*time.Second {
				t.Errorf("write %d came %v after the one before", n, after)
			}
		}
		m.Close(t.Context())
		look()
		if n := len(writes); n < 10 || n > 13 {
			t.Errorf("%d writes in 60 s and at the end, want 12 and one", n)
		}
		if ids, _ := d.ids(); len(ids) != changes {
			t.Errorf("at last the file names %d instances, want %d", len(ids), changes)
		}
	})
}

// A list whose instances stay as they are is not written again: not with a new
// revision, not when the registry went and came, not by the next process.
func TestAnUnchangedListIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		registry := make(scripted)
		m := newMesh(t, registry, d.option())
		m.Do(canceled(), get(), never(t))
		registry.say(snapshotOf(discovery.Live), nil)
		synctest.Wait()
		written := d.file(t)
		saved := time.Now()

		for revision := range int64(20) {
			time.Sleep(10 * time.Second)
			registry.say(snapshotOf(discovery.Stale), errDown)
			time.Sleep(10 * time.Second)
			again := snapshotOf(discovery.Live) // all instances were read anew
			again.Revision = revision
			registry.say(again, nil)
			synctest.Wait()
			if !os.SameFile(written, d.file(t)) {
				t.Fatalf("at revision %d it was written", revision)
			}
		}
		m.Close(t.Context())

		next := newMesh(t, registry, d.option())
		next.Do(canceled(), get(), never(t))
		registry.say(snapshotOf(discovery.Live), nil)
		time.Sleep(time.Minute)
		if !os.SameFile(written, d.file(t)) {
			t.Error("the next process wrote it")
		}
		if s := service(t, next).Snapshot; !s.AsOf.Equal(saved) || s.Age != time.Since(saved) {
			t.Errorf("the file is as of %v, shown is %v, %v old", saved, s.AsOf, s.Age)
		}
		next.Close(t.Context())
		if !os.SameFile(written, d.file(t)) {
			t.Error("it was written in the end")
		}
	})
}

// Whatever changes about an instance is a change.
func TestAChangedInstanceIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		fleet := orders("a", "b")
		m := knowing(t, newMesh(t, fleet, d.option()))
		synctest.Wait()
		before := d.file(t)
		fleet.Drain("b")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if os.SameFile(before, d.file(t)) {
			t.Error("it was not written")
		}
		if s, err := d.Load("orders"); err != nil || s.Instances[0].Draining || !s.Instances[1].Draining {
			t.Errorf("the file holds %+v, %v", s, err)
		}
		m.Close(t.Context())
	})
}

// One that was refused on the way in is still in the file, which is therefore
// not the list: the next good list is written over it.
func TestAFileWithBadRecordsIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d := newDisk(t)
		three := snapshotOf(discovery.Live).Instances
		bad := *three[0]
		bad.ID, bad.Weight = "bad", -1
		d.hold(t, *three[0], *three[1], *three[2], bad)
		registry := make(scripted)
		m := newMesh(t, registry, d.option(), log.option())
		if err := m.Do(t.Context(), get(), instant{m}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if s := service(t, m); s.Refused != 1 || len(s.Instances) != 3 || s.Refusals[0].Key != "bad" {
			t.Errorf("it shows %+v", s)
		}
		if log.lines("malformed records") != 1 {
			t.Errorf("the log is\n%s", log.text.String())
		}
		registry.say(snapshotOf(discovery.Live), nil)
		synctest.Wait()
		if s, err := d.Load("orders"); err != nil || s.Refused != 0 || len(s.Instances) != 3 {
			t.Errorf("the file holds %+v, %v", s, err)
		}
	})
}

// A disk that does not work disturbs no call. It is told, tried again, and told
// when it works again, though the list has not changed since.
func TestADiskThatDoesNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d := newDisk(t)
		inTheWay := string(d.SnapshotDir)
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		metrics, fleet := new(meters), orders("a")
		m := newMesh(t, fleet, d.option(), log.option(), transport.WithMeterProvider(metrics))
		for range 4 {
			if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
				t.Error(err)
			}
			time.Sleep(5*time.Second - time.Millisecond) // to just before the next try
		}
		s := service(t, m).Snapshot
		if s.Loaded || !s.AsOf.IsZero() || s.Age != 0 || s.Failures != 5 || !strings.Contains(s.Trouble, inTheWay) { // a load and four saves
			t.Errorf("of the file it shows %+v", s)
		}
		if log.lines("cannot be used") != 1 || log.lines("cannot be saved") != 1 {
			t.Errorf("the log is\n%s", log.text.String())
		}
		if got := metrics.collect(t).values; got["fairlead.snapshot.failures service=orders"] != 5 {
			t.Errorf("metrics are %v", got)
		} else if age, there := got["fairlead.snapshot.age service=orders"]; there {
			t.Errorf("a file that does not exist is %v s old", age)
		}

		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if ids, _ := d.ids(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("the file names %v", ids)
		}
		if s := service(t, m).Snapshot; s.Trouble != "" || s.Failures != 5 || s.AsOf.IsZero() {
			t.Errorf("of the file it shows %+v", s)
		}
		if log.lines("saved again") != 1 || log.lines("cannot be saved") != 1 {
			t.Errorf("the log is\n%s", log.text.String())
		}
	})
}

// A damaged file is replaced by the first good list.
func TestADamagedFileIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		d.hold(t, fairleadtest.Instances("orders", "x")...)
		if err := os.Truncate(d.Path("orders"), 10); err != nil {
			t.Fatal(err)
		}
		m := knowing(t, newMesh(t, orders("a"), d.option()))
		synctest.Wait()
		if ids, _ := d.ids(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("the file names %v", ids)
		}
		if s := service(t, m).Snapshot; s.Trouble != "" || s.Failures != 1 || s.Loaded {
			t.Errorf("of the file it shows %+v", s)
		}
	})
}

func TestTheAgeOfTheFileIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, metrics := newDisk(t), new(meters)
		d.hold(t, fairleadtest.Instances("orders", "a")...)
		time.Sleep(time.Hour)
		m := newMesh(t, down("a"), d.option(), transport.WithMeterProvider(metrics))
		m.Do(canceled(), get(), never(t))
		time.Sleep(time.Minute)
		got := metrics.collect(t).values
		for _, name := range []string{"fairlead.snapshot.age", "fairlead.registry.staleness"} {
			if v := got[name+" service=orders"]; v != 3660 {
				t.Errorf("%s is %v, want 3660", name, v)
			}
		}
		if v, there := got["fairlead.snapshot.failures service=orders"]; !there || v != 0 {
			t.Errorf("failures are %v", v)
		}
	})
}

// Without the option nothing is written, shown or measured.
func TestWithoutASnapshotDir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := new(meters)
		m := knowing(t, newMesh(t, orders("a"), transport.WithSnapshotDir(""), transport.WithMeterProvider(metrics)))
		if s := service(t, m).Snapshot; s != nil {
			t.Errorf("a file is shown: %+v", s)
		}
		for name := range metrics.collect(t).values {
			if strings.HasPrefix(name, "fairlead.snapshot") {
				t.Errorf("%s is measured", name)
			}
		}
	})
}

// A list from disk does not know that an instance is on its way out: Serve
// waits until its own watch has shown it.
func TestServeIsNotFooledByTheListFromDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		disk.hold(t, fairleadtest.Instances("orders", "other")...)
		d := newDiary()
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		m := newMesh(t, &lagging{Fleet: orders(), by: 3 * time.Second}, disk.option()) // watched from the end only
		if err := transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none}, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t, "1m5.5s http stops accepting", "1m5.5s http is done")
	})
}
