package discovery_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// full is an instance with a value in every field.
func full() discovery.Instance {
	return discovery.Instance{
		ID: "7f3a", Service: "orders", Addr: "10.0.0.7:9090",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "10.0.0.7:9090"}, {Protocol: discovery.HTTP, Addr: "unix:/run/orders.sock"}},
		Weight:    7, Region: "eu", Zone: "eu-1", Version: "v2 <&>", Draining: true, BootID: "boot",
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600)),
		Meta:      map[string]string{"lane": "blue"},
	}
}

// snapshotDir is one that does not exist yet.
func snapshotDir(t testing.TB) discovery.SnapshotDir {
	return discovery.SnapshotDir(filepath.Join(t.TempDir(), "below", "snapshots"))
}

// save saves a snapshot and returns its file.
func save(t testing.TB, d discovery.SnapshotDir, s discovery.Snapshot) (path string) {
	t.Helper()
	if err := d.Save(s); err != nil {
		t.Fatal(err)
	}
	return d.Path(s.Service)
}

func load(t testing.TB, d discovery.SnapshotDir, service string) discovery.Snapshot {
	t.Helper()
	s, err := d.Load(service)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write makes a file as a process of this user would.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sealed is a file that holds a document with the checksum it should have.
func sealed(document string) []byte {
	return fmt.Appendf(nil, "fairlead-instances/1 sha256:%x\n%s", sha256.Sum256([]byte(document)), document)
}

// wantSame holds the list of a snapshot against another.
func wantSame(t testing.TB, got, want discovery.Snapshot) {
	t.Helper()
	if got.Service != want.Service || got.Revision != want.Revision || !got.AsOf.Equal(want.AsOf) {
		t.Errorf("got %s at %d as of %v, want %s at %d as of %v", got.Service, got.Revision, got.AsOf, want.Service, want.Revision, want.AsOf)
	}
	if !slices.EqualFunc(got.Instances, want.Instances, (*discovery.Instance).Equal) {
		t.Errorf("got\n%+v, want\n%+v", got.Instances, want.Instances)
	}
}

func TestSnapshotDirKeepsTheWholeList(t *testing.T) {
	d := snapshotDir(t)
	want := discovery.Snapshot{
		Service: "orders", Revision: 42, State: discovery.Stale, AsOf: time.Now().Add(-time.Hour),
		Instances: discovery.List(append(fixture.Instances("orders", 20), full())...),
	}
	save(t, d, want)
	got := load(t, d, "orders")
	wantSame(t, got, want)
	if got.State != discovery.Stale || got.Refused != 0 {
		t.Errorf("state %v with %d refused, want stale with none", got.State, got.Refused)
	}
}

func TestSnapshotDirSavesAListOfNoTimeAsOfNow(t *testing.T) {
	d := snapshotDir(t)
	before := time.Now()
	save(t, d, fixture.Snapshot("orders", 2))
	if got := load(t, d, "orders"); got.AsOf.Before(before) || got.AsOf.After(time.Now()) {
		t.Errorf("a list saved at %v is as of %v", before, got.AsOf)
	}
}

func TestSnapshotDirKeepsServicesApart(t *testing.T) {
	d := snapshotDir(t)
	long := strings.Repeat(strings.Repeat("a", 62)+".", 4) // 252 bytes
	services := []string{"orders", "orders.instances", "orders.rules", "a-b", long + "x", long + "y"}
	for n, service := range services {
		save(t, d, fixture.Snapshot(service, n+1))
	}
	for n, service := range services {
		if got := load(t, d, service); got.Service != service || len(got.Instances) != n+1 {
			t.Errorf("%s has %d instances of %s, want %d", service, len(got.Instances), got.Service, n+1)
		}
	}
}

func TestSnapshotDirWithoutAFile(t *testing.T) {
	d := snapshotDir(t)
	if s, err := d.Load("orders"); !errors.Is(err, fs.ErrNotExist) || s.State != discovery.Cold {
		t.Errorf("without a directory: %+v, %v", s, err)
	}
	if _, err := os.Stat(string(d)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("Load made the directory")
	}
	save(t, d, fixture.Snapshot("users", 1))
	if s, err := d.Load("orders"); !errors.Is(err, fs.ErrNotExist) || s.State != discovery.Cold {
		t.Errorf("without a file: %+v, %v", s, err)
	}
}

func TestSnapshotDirRefusesBadInput(t *testing.T) {
	good := fixture.Snapshot("orders", 1)
	cold := discovery.Snapshot{Service: "orders"}
	late := discovery.Snapshot{Service: "orders", State: discovery.Stale, AsOf: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, row := range []struct {
		name     string
		dir      discovery.SnapshotDir
		snapshot discovery.Snapshot
		field    string // "": no FieldError
	}{
		{"no directory", "", good, "SnapshotDir"},
		{"relative directory", "snapshots", good, "SnapshotDir"},
		{"cold snapshot", snapshotDir(t), cold, "Snapshot.State"},
		{"time that JSON cannot hold", snapshotDir(t), late, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.dir.Save(row.snapshot)
			if e, ok := errors.AsType[*discovery.FieldError](err); ok != (row.field != "") || ok && e.Field != row.field || !errors.Is(err, discovery.ErrInvalid) {
				t.Errorf("Save: %v", err)
			}
			if _, err := os.Stat(string(row.dir)); !errors.Is(err, fs.ErrNotExist) {
				t.Error("Save made the directory before it refused")
			}
		})
	}
	if _, err := discovery.SnapshotDir("snapshots").Load("orders"); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("Load from a relative directory: %v", err)
	}
}

// No name leads out of the directory, however it is written.
func TestSnapshotDirIsConfined(t *testing.T) {
	parent := t.TempDir()
	d := discovery.SnapshotDir(filepath.Join(parent, "snapshots"))
	outside := filepath.Join(parent, "outside.instances")
	write(t, outside, sealed(`{"service":"outside","asOf":"2026-01-02T03:04:05Z","instances":[]}`))
	save(t, d, fixture.Snapshot("orders", 1))
	for _, service := range []string{
		"../outside", "..", ".", "", "/" + outside, `..\outside`, "orders/../../outside", "outside\x00", "Orders", "%2e%2e/outside", "orders/",
	} {
		if _, err := d.Load(service); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Load(%q): %v", service, err)
		}
		if err := d.Save(discovery.Snapshot{Service: service, State: discovery.Live}); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Save of %q: %v", service, err)
		}
		if path := d.Path(service); path != "" {
			t.Errorf("Path(%q) = %s", service, path)
		}
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the directory there is now %v (%v)", entries, err)
	}
}

// Whatever a file that should be saved over is, and whatever there was before,
// Save leaves one good file.
func TestSnapshotDirSavesOverAnything(t *testing.T) {
	for _, row := range []struct {
		name   string
		before func(t *testing.T, path string)
	}{
		{"garbage", func(t *testing.T, path string) { write(t, path, []byte("garbage")) }},
		{"nothing in it", func(t *testing.T, path string) { write(t, path, nil) }},
		{"a longer list", func(t *testing.T, path string) {
			save(t, discovery.SnapshotDir(filepath.Dir(path)), fixture.Snapshot("orders", 100))
		}},
		{"a file that everybody may write", func(t *testing.T, path string) {
			write(t, path, nil)
			os.Chmod(path, 0o666)
		}},
		{"a symbolic link", func(t *testing.T, path string) {
			write(t, path+"-target", []byte("mine"))
			if err := os.Symlink(path+"-target", path); err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() {
				if b, _ := os.ReadFile(path + "-target"); string(b) != "mine" {
					t.Error("Save followed the link")
				}
			})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := snapshotDir(t)
			path := d.Path("orders")
			row.before(t, path)
			save(t, d, fixture.Snapshot("orders", 3))
			if got := load(t, d, "orders"); len(got.Instances) != 3 {
				t.Errorf("%d instances, want 3", len(got.Instances))
			}
			if temporary, _ := filepath.Glob(filepath.Join(string(d), "*.tmp")); len(temporary) != 0 {
				t.Errorf("left behind: %v", temporary)
			}
		})
	}
}

// A Save that fails leaves the file that was, and nothing beside it.
func TestSnapshotDirAfterAFailedSave(t *testing.T) {
	d := snapshotDir(t)
	if err := os.MkdirAll(filepath.Join(d.Path("orders"), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(fixture.Snapshot("orders", 1)); err == nil || !strings.Contains(err.Error(), d.Path("orders")) {
		t.Errorf("error is %v, which does not name the file", err)
	}
	if entries, _ := os.ReadDir(string(d)); len(entries) != 1 {
		t.Errorf("the directory holds %v", entries)
	}
}

// What a process left that died while writing is removed, what another may be
// writing is not.
func TestSnapshotDirSweepsUp(t *testing.T) {
	d := snapshotDir(t)
	old, young, foreign := d.Path("orders")+".OLD.tmp", d.Path("orders")+".YOUNG.tmp", d.Path("users")
	for _, path := range []string{old, young, foreign} {
		write(t, path, nil)
	}
	long := time.Now().Add(-time.Hour)
	for _, path := range []string{old, foreign} {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	save(t, d, fixture.Snapshot("orders", 1))
	entries, _ := os.ReadDir(string(d))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"orders.instances", "orders.instances.YOUNG.tmp", "users.instances"}; !slices.Equal(names, want) {
		t.Errorf("the directory holds %v, want %v", names, want)
	}
}

// A file that cannot be trusted is an error and nothing of it is used; it is
// not touched.
func TestSnapshotDirRefusesFiles(t *testing.T) {
	const document = `{"service":"orders","revision":7,"asOf":"2026-01-02T03:04:05Z","instances":[{"id":"a","service":"orders","addr":"10.0.0.1:80"}]}`
	good := string(sealed(document))
	for _, row := range []struct {
		name, file string
		says       string // "": it is accepted
	}{
		{"as it is", good, ""},
		{"empty", "", "not a file of format fairlead-instances"},
		{"garbage", "\x00\xff\n\n", "not a file of format fairlead-instances"},
		{"without a header", document, "not a file of format fairlead-instances"},
		{"of other things", strings.Replace(good, "instances/1", "rules/1", 1), "not a file of format fairlead-instances"},
		{"of a later format", strings.Replace(good, "/1 ", "/2 ", 1), `version "2"`},
		{"of a format of later still", strings.Replace(good, "/1 ", "/10 ", 1), `version "10"`},
		{"with no checksum", strings.Replace(good, " sha256:", "\nsha256:", 1), "damaged"},
		{"with another way to write the checksum", strings.Replace(good, good[len("fairlead-instances/1 sha256:"):][:64], strings.ToUpper(good[len("fairlead-instances/1 sha256:"):][:64]), 1), "damaged"},
		{"with more behind it", good + "\n", "damaged"},
		{"twice", good + good, "damaged"},
		{"of another service", string(sealed(strings.ReplaceAll(document, "orders", "users"))), `of the service "users"`},
		{"of no service", string(sealed(`{"asOf":"2026-01-02T03:04:05Z"}`)), `of the service ""`},
		{"of no age", string(sealed(`{"service":"orders"}`)), "age"},
		{"not JSON", string(sealed(`{"service":"orders"`)), "JSON"},
		{"two documents", string(sealed(document + document)), "after top-level value"},
		{"another kind of JSON", string(sealed(`[1]`)), "cannot unmarshal"},
		{"null", string(sealed(`null`)), `of the service ""`},
		{"an instance of another kind", string(sealed(strings.Replace(document, `{"id"`, `7,{"id"`, 1))), "cannot unmarshal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := snapshotDir(t)
			write(t, d.Path("orders"), []byte(row.file))
			s, err := d.Load("orders")
			if row.says == "" {
				if err != nil || len(s.Instances) != 1 {
					t.Fatalf("got %+v, %v", s, err)
				}
				return
			}
			if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), d.Path("orders")) {
				t.Errorf("error is %v, want one of %s that says %q", err, d.Path("orders"), row.says)
			}
			if s.State != discovery.Cold || len(s.Instances) != 0 {
				t.Errorf("half of it was used: %+v", s)
			}
			if left, err := os.ReadFile(d.Path("orders")); err != nil || string(left) != row.file {
				t.Errorf("the file is now %q (%v)", left, err)
			}
		})
	}
}

// A good file is held to the rules of a registry, record by record.
func TestSnapshotDirRefusesRecords(t *testing.T) {
	const good = `{"id":"m","service":"orders","addr":"10.0.0.1:80"}`
	for _, row := range []struct {
		name, record string
		key, says    string // "": it is accepted
	}{
		{"good", `{"id":"a","service":"orders","addr":"10.0.0.2:80"}`, "", ""},
		{"with a field of later", `{"id":"a","service":"orders","addr":"10.0.0.2:80","later":1}`, "", ""},
		{"null", `null`, "", "null"},
		{"empty", `{}`, "", "service"},
		{"of another service", `{"id":"a","service":"users","addr":"10.0.0.2:80"}`, "a", `"users"`},
		{"a second time", good, "m", "same ID"},
		{"with a bad ID", `{"id":"../a","service":"orders","addr":"10.0.0.2:80"}`, "../a", "Instance.ID"},
		{"with an address in disguise", `{"id":"a","service":"orders","addr":"2130706433:80"}`, "a", "Instance.Addr"},
		{"with a bad endpoint", `{"id":"a","service":"orders","addr":"10.0.0.2:80","endpoints":[{"protocol":"http","addr":"unix:../x"}]}`, "a", "Instance.Endpoints[0].Addr"},
		{"with a bad weight", `{"id":"a","service":"orders","addr":"10.0.0.2:80","weight":-1}`, "a", "Instance.Weight"},
		{"with a line break", `{"id":"a","service":"orders","addr":"10.0.0.2:80","meta":{"k":"a\nb"}}`, "a", "Instance.Meta"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := snapshotDir(t)
			write(t, d.Path("orders"), sealed(`{"service":"orders","asOf":"2026-01-02T03:04:05Z","instances":[`+good+`,`+row.record+`]}`))
			s := load(t, d, "orders")
			if row.says == "" {
				if s.Refused != 0 || len(s.Instances) != 2 || s.Instances[0].ID != "a" || s.Instances[1].ID != "m" {
					t.Errorf("got %+v", s)
				}
				return
			}
			if s.Refused != 1 || len(s.Instances) != 1 || s.Instances[0].ID != "m" || s.Instances[0].Addr != "10.0.0.1:80" {
				t.Fatalf("got %+v", s)
			}
			if r := s.Refusals[0]; r.Key != row.key || !strings.Contains(r.Reason, row.says) {
				t.Errorf("refused %q because %q, want %q because of %q", r.Key, r.Reason, row.key, row.says)
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		d := snapshotDir(t)
		write(t, d.Path("orders"), sealed(`{"service":"orders","asOf":"2026-01-02T03:04:05Z","instances":[`+good+strings.Repeat(`,null`, 20)+`]}`))
		if s := load(t, d, "orders"); s.Refused != 20 || len(s.Refusals) != discovery.MaxRefusals {
			t.Errorf("%d refused, %d of them told", s.Refused, len(s.Refusals))
		}
	})
}

func TestSnapshotDirRefusesALargeFile(t *testing.T) {
	d := snapshotDir(t)
	path := d.Path("orders")
	write(t, path, nil)
	if err := os.Truncate(path, 1<<30); err != nil { // a hole: it takes no space
		t.Fatal(err)
	}
	// It says how large: it was not read to find out.
	if _, err := d.Load("orders"); !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), "of 1073741824 bytes, at most 67108864") {
		t.Errorf("error is %v", err)
	}
}

// Readers never see anything but whole lists, whoever writes.
func TestSnapshotDirIsAtomic(t *testing.T) {
	d := snapshotDir(t)
	save(t, d, fixture.Snapshot("orders", 1))
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := d.Load("orders")
				if err != nil || len(s.Instances) != int(s.Revision) {
					t.Errorf("a reader saw %d instances at revision %d: %v", len(s.Instances), s.Revision, err)
					return
				}
			}
		})
	}
	for writer := range 3 {
		writers.Go(func() {
			for n := range 20 {
				s := fixture.Snapshot("orders", 1+writer+10*n)
				s.Revision = int64(len(s.Instances))
				if err := d.Save(s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func BenchmarkSnapshotDir(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		d := snapshotDir(b)
		s := fixture.Snapshot("orders", n)
		for _, i := range s.Instances { // as they come from a registry
			i.ID, i.Zone, i.Version, i.StartedAt = discovery.NewID(), "eu-west-1a", "v1.2.3", time.Now()
			i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: i.Addr}, {Protocol: discovery.GRPC, Addr: i.Addr}}
		}
		info, err := os.Stat(save(b, d, s))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("Load/%d", n), func(b *testing.B) {
			b.SetBytes(info.Size())
			for b.Loop() {
				load(b, d, "orders")
			}
		})
		b.Run(fmt.Sprintf("Save/%d", n), func(b *testing.B) {
			b.SetBytes(info.Size())
			for b.Loop() {
				save(b, d, s)
			}
		})
	}
}
