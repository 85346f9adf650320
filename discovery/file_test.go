package discovery_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// fileRig is a File in a synctest bubble and the directory of its service
// orders. The bubble's clock is that of the registry, and of the modification
// times that it sets; files that the test writes have those of the machine,
// which matters only for records with a TTL.
type fileRig struct {
	t    *testing.T
	dir  string
	file *discovery.File
}

func withFiles(t *testing.T, test func(t *testing.T, r *fileRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &fileRig{t: t, dir: filepath.Join(t.TempDir(), "instances")}
		r.mkdir("orders")
		r.file = r.another()
		test(t, r)
	})
}

// another is what another process would have. It is closed with the test.
func (r *fileRig) another() *discovery.File {
	r.t.Helper()
	f, err := discovery.NewFile(discovery.FileConfig{Dir: r.dir, Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil))})
	r.must(err)
	r.t.Cleanup(func() { f.Close(context.Background()) })
	return f
}

func (r *fileRig) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *fileRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *fileRig) mkdir(name string) { r.t.Helper(); r.must(os.MkdirAll(r.path(name), 0o700)) }

// write writes a file as an editor does that is careful.
func (r *fileRig) write(name, content string) {
	r.t.Helper()
	r.must(os.WriteFile(r.path(name)+".new", []byte(content), 0o600))
	r.must(os.Rename(r.path(name)+".new", r.path(name)))
}

func (r *fileRig) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	r.must(err)
	return string(b)
}

// renew gives a file the modification time of now less age.
func (r *fileRig) renew(name string, age time.Duration) {
	r.t.Helper()
	at := time.Now().Add(-age)
	r.must(os.Chtimes(r.path(name), at, at))
}

// follow watches orders until the end of the bubble.
func (r *fileRig) follow() *journal {
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	return follow(ctx, r.file, "orders")
}

func (r *fileRig) register(f *discovery.File, i discovery.Instance) discovery.Registration {
	r.t.Helper()
	reg, err := f.Register(r.t.Context(), i)
	r.must(err)
	r.must(reg.Wait(r.t.Context()))
	return reg
}

func order(id, addr string) discovery.Instance {
	return discovery.Instance{ID: id, Service: "orders", Addr: addr}
}

// look lets the registry look once more.
func look() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestFileReadsWhatPeopleWrite(t *testing.T) {
	for _, row := range []struct {
		name, content string
		want          []discovery.Instance
		refused       int
	}{
		{
			name:    "LeastThereIs",
			content: `{"addr":"10.0.0.7:8080"}`,
			want:    []discovery.Instance{{ID: "10.0.0.7:8080", Service: "orders", Addr: "10.0.0.7:8080", Weight: 100}},
		},
		{
			name:    "Endpoints",
			content: `{"id":"a","service":"orders","endpoints":[{"protocol":"http","addr":"10.0.0.7:8080"}],"weight":7,"zone":"z"}`,
			want: []discovery.Instance{{ID: "a", Service: "orders", Addr: "10.0.0.7:8080", Weight: 7, Zone: "z",
				Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}}}},
		},
		{
			name:    "Array",
			content: ` [{"id":"b","addr":"10.0.0.8:8080"},{"id":"a","addr":"10.0.0.7:8080"}]` + "\n",
			want: []discovery.Instance{{ID: "a", Service: "orders", Addr: "10.0.0.7:8080", Weight: 100},
				{ID: "b", Service: "orders", Addr: "10.0.0.8:8080", Weight: 100}},
		},
		{name: "EmptyArray", content: `[]`},
		{
			name:    "BadOnesOfAnArray",
			content: `[{"addr":"127.1:80"},{"addr":"10.0.0.7:8080"},7,{"addr":"10.0.0.9:80","weight":-1},{"addr":"10.0.0.9:80","service":"users"},{"addr":"10.0.0.9:80","ttl":"15s"}]`,
			want:    []discovery.Instance{{ID: "10.0.0.7:8080", Service: "orders", Addr: "10.0.0.7:8080", Weight: 100}},
			refused: 5,
		},
		{
			name:    "SameIDTwice",
			content: `[{"id":"a","addr":"10.0.0.7:8080"},{"id":"a","addr":"10.0.0.8:8080"}]`,
			want:    []discovery.Instance{{ID: "a", Service: "orders", Addr: "10.0.0.7:8080", Weight: 100}},
			refused: 1,
		},
		{name: "NoAddress", content: `{"id":"a"}`, refused: 1},
		{name: "AnotherService", content: `{"addr":"10.0.0.7:8080","service":"users"}`, refused: 1},
		{name: "NotJSON", content: `addr: 10.0.0.7:8080`, refused: 1},
		{name: "Empty", content: ``, refused: 1},
		{name: "Null", content: `null`, refused: 1},
		{name: "TwoValues", content: `{"addr":"10.0.0.7:8080"}{}`, refused: 1},
		{name: "LineBreakInMetadata", content: `{"addr":"10.0.0.7:8080","meta":{"lane":"blue\r\n"}}`, refused: 1},
		{name: "TTLThatIsNone", content: `{"addr":"10.0.0.7:8080","ttl":"soon"}`, refused: 1},
		{name: "TTLOfNothing", content: `{"addr":"10.0.0.7:8080","ttl":"0s"}`, refused: 1},
		{name: "TooLarge", content: `{"addr":"10.0.0.7:8080"}` + strings.Repeat(" ", 16<<20), refused: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			withFiles(t, func(t *testing.T, r *fileRig) {
				r.write("orders/list.json", row.content)
				s, err := latest(t, r.file, "orders")
				if err != nil || s.State != discovery.Live {
					t.Fatalf("%s, error %v; want Live", s.State, err)
				}
				var got []discovery.Instance
				for _, i := range s.Instances {
					got = append(got, *i)
				}
				if jsonOf(t, got) != jsonOf(t, row.want) {
					t.Errorf("got  %s\nwant %s", jsonOf(t, got), jsonOf(t, row.want))
				}
				if s.Refused != row.refused || len(s.Refusals) != row.refused {
					t.Errorf("refused %d: %v, want %d", s.Refused, s.Refusals, row.refused)
				}
				for _, refusal := range s.Refusals {
					if !strings.HasPrefix(refusal.Key, "orders/list.json") || refusal.Reason == "" {
						t.Errorf("refusal %+v, want the file and a reason", refusal)
					}
				}
			})
		})
	}
}

func TestFilePassesOverOtherFiles(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		for _, name := range []string{"README", "a.json.swp", "a.json~", ".a.json", "a.yaml", "a.json.0123.tmp"} {
			r.write("orders/"+name, `{"addr":"10.0.0.7:8080"}`)
		}
		r.mkdir("orders/deeper")
		r.write("orders/deeper/a.json", `{"addr":"10.0.0.7:8080"}`)
		r.write("a.json", `{"addr":"10.0.0.7:8080","service":"orders"}`)
		if s, err := latest(t, r.file, "orders"); err != nil || s.State != discovery.Live || len(s.Instances) > 0 || s.Refused > 0 {
			t.Errorf("%s %v, %d refused, error %v; want nothing", s.State, s.Instances, s.Refused, err)
		}
	})
}

func TestFileNoticesEveryChange(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil)

		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		look()
		first := j.one(t)
		first.want(t, discovery.Live, nil, "a")

		r.write("orders/b.json", `[{"id":"b","addr":"10.0.0.2:80"},{"id":"c","addr":"10.0.0.3:80"}]`)
		look()
		second := j.one(t)
		second.want(t, discovery.Live, nil, "a", "b", "c")

		r.write("orders/b.json", `[{"id":"b","addr":"10.0.0.2:80","weight":7},{"id":"c","addr":"10.0.0.3:80"}]`)
		look()
		third := j.one(t)
		third.want(t, discovery.Live, nil, "a", "b", "c")
		if third.Instances[1].Weight != 7 || second.Instances[1].Weight != 100 {
			t.Errorf("the weight of b was %d and is %d, want 100 and 7", second.Instances[1].Weight, third.Instances[1].Weight)
		}
		if third.Instances[0] != first.Instances[0] || third.Instances[2] != second.Instances[2] {
			t.Error("an instance that has not changed has another pointer, though its file was read again")
		}
		if !(first.Revision < second.Revision && second.Revision < third.Revision) {
			t.Errorf("revisions %d, %d, %d; want them to grow", first.Revision, second.Revision, third.Revision)
		}

		r.renew("orders/b.json", 0) // touched, not changed
		look()
		if yields, _ := j.take(); len(yields) > 0 {
			t.Errorf("%v although nothing has changed", yields)
		}

		r.must(os.Remove(r.path("orders/a.json")))
		look()
		j.one(t).want(t, discovery.Live, nil, "b", "c")
		r.must(os.RemoveAll(r.path("orders")))
		look()
		j.one(t).want(t, discovery.Live, nil)
	})
}

// Somebody edits in place: same inode, same size.
func TestFileNoticesTheModificationTimeAlone(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a")
		r.must(os.WriteFile(r.path("orders/a.json"), []byte(`{"id":"b","addr":"10.0.0.1:80"}`), 0o600))
		r.renew("orders/a.json", time.Hour)
		look()
		j.one(t).want(t, discovery.Live, nil, "b")
	})
}

// Files are put in place with the times they had elsewhere: same time, same
// size.
func TestFileNoticesAnotherFileOfTheSameTime(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		r.renew("orders/a.json", time.Hour)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a")
		then := time.Now().Add(-time.Hour)
		r.write("orders/b", `{"id":"b","addr":"10.0.0.1:80"}`)
		r.must(os.Chtimes(r.path("orders/b"), then, then))
		r.must(os.Rename(r.path("orders/b"), r.path("orders/a.json")))
		look()
		j.one(t).want(t, discovery.Live, nil, "b")
	})
}

func TestMalformedFileKeepsItsLastGoodContent(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		r.write("orders/b.json", `{"id":"b","addr":"10.0.0.2:80"}`)
		j := r.follow()
		before := j.one(t)
		before.want(t, discovery.Live, nil, "a", "b")

		r.write("orders/a.json", `{"id":"a","addr":"10.0.`)
		look()
		bad := j.one(t)
		bad.want(t, discovery.Live, nil, "a", "b")
		if bad.Refused != 1 || len(bad.Refusals) != 1 || bad.Refusals[0].Key != "orders/a.json" {
			t.Errorf("refused %d: %v, want orders/a.json", bad.Refused, bad.Refusals)
		}
		if !slices.Equal(bad.Instances, before.Instances) {
			t.Error("instances are not those of before")
		}
		time.Sleep(time.Hour)
		if yields, _ := j.take(); len(yields) > 0 {
			t.Errorf("%v although nothing has changed", yields)
		}

		r.write("orders/b.json", `{"id":"b2","addr":"10.0.0.2:80"}`) // the others go on
		look()
		j.one(t).want(t, discovery.Live, nil, "a", "b2")

		r.write("orders/a.json", `{"id":"a2","addr":"10.0.0.1:80"}`)
		look()
		healed := j.one(t)
		healed.want(t, discovery.Live, nil, "a2", "b2")
		if healed.Refused > 0 {
			t.Errorf("refused %v after the file was mended", healed.Refusals)
		}

		r.write("orders/a.json", `x`)
		look()
		j.one(t).want(t, discovery.Live, nil, "a2", "b2")
		r.must(os.Remove(r.path("orders/a.json"))) // which is how to be rid of it
		look()
		j.one(t).want(t, discovery.Live, nil, "b2")
	})
}

func TestTwoFilesWithOneID(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/b.json", `{"id":"a","addr":"10.0.0.2:80"}`)
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		s, _ := latest(t, r.file, "orders")
		if len(s.Instances) != 1 || s.Instances[0].Addr != "10.0.0.1:80" {
			t.Errorf("instances %v, want that of the first file", s.Instances)
		}
		if s.Refused != 1 || s.Refusals[0].Key != "orders/b.json" || !strings.Contains(s.Refusals[0].Reason, "a.json") {
			t.Errorf("refusals %v, want the other file and who has the ID", s.Refusals)
		}
	})
}

func TestFileIsConfined(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		outside := filepath.Join(t.TempDir(), "a.json")
		r.must(os.WriteFile(outside, []byte(`{"id":"outside","addr":"10.0.0.1:80"}`), 0o600))
		r.mkdir("users")
		r.write("users/a.json", `{"id":"neighbour","addr":"10.0.0.1:80"}`)
		r.write("orders/data", `{"id":"inside","addr":"10.0.0.2:80"}`)
		for name, target := range map[string]string{"absolute.json": outside, "upward.json": "../users/a.json", "inside.json": "data"} {
			if err := os.Symlink(target, r.path("orders/"+name)); err != nil {
				t.Skip(err)
			}
		}
		s, err := latest(t, r.file, "orders")
		if err != nil || len(s.Instances) != 1 || s.Instances[0].ID != "inside" {
			t.Errorf("instances %v, error %v; want the one that a link within the directory leads to", s.Instances, err)
		}
		if s.Refused != 2 {
			t.Errorf("refusals %v, want both links that lead out", s.Refusals)
		}

		r.must(os.Symlink(filepath.Dir(outside), r.path("elsewhere")))
		if s, err := latest(t, r.file, "elsewhere"); err == nil || s.State != discovery.Cold || len(s.Instances) > 0 {
			t.Errorf("a directory elsewhere: %s %v, error %v; want Cold and an error", s.State, s.Instances, err)
		}
	})
}

func TestDirectoryInPlaceOfAFileIsRefused(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.mkdir("orders/a.json")
		if s, err := latest(t, r.file, "orders"); err != nil || s.State != discovery.Live || s.Refused != 1 {
			t.Errorf("%s, refusals %v, error %v; want one", s.State, s.Refusals, err)
		}
	})
}

func TestMissingDirectoryIsNotKnowledge(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		gone := r.dir + "-gone"
		r.must(os.Rename(r.dir, gone))
		j := r.follow()
		j.one(t).want(t, discovery.Cold, fs.ErrNotExist)

		r.must(os.Rename(gone, r.dir))
		look()
		j.one(t).want(t, discovery.Live, nil)
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		look()
		j.one(t).want(t, discovery.Live, nil, "a")

		r.must(os.Rename(r.dir, gone))
		r.must(os.WriteFile(r.dir, nil, 0o600))
		look()
		stale := j.one(t)
		if stale.State != discovery.Stale || !slices.Equal(stale.ids(), []string{"a"}) || stale.err == nil {
			t.Errorf("%s %q, error %v; want the last good list, Stale, with an error", stale.State, stale.ids(), stale.err)
		}

		// Another directory comes in its place; it does not hang on to the old.
		r.must(os.Remove(r.dir))
		r.mkdir("orders")
		r.write("orders/b.json", `{"id":"b","addr":"10.0.0.1:80"}`)
		look()
		j.one(t).want(t, discovery.Live, nil, "b")
	})
}

func TestServiceThatIsNoDirectoryIsNotKnowledge(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("users", "")
		if s, err := latest(t, r.file, "users"); err == nil || s.State != discovery.Cold {
			t.Errorf("%s, error %v; want Cold and an error", s.State, err)
		}
	})
}

// What a script writes counts as long as the script touches it.
func TestRecordWithTTLCountsWhileItIsRenewed(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80","ttl":"15s"}`)
		r.write("orders/b.json", `{"id":"b","addr":"10.0.0.2:80"}`)
		r.renew("orders/a.json", 0)
		r.renew("orders/b.json", 1000*time.Hour)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a", "b")
		for range 10 {
			time.Sleep(10 * time.Second)
			r.renew("orders/a.json", 0)
		}
		if yields, _ := j.take(); len(yields) > 0 {
			t.Fatalf("%v while the file was renewed", yields)
		}
		time.Sleep(14 * time.Second)
		if yields, _ := j.take(); len(yields) > 0 {
			t.Fatalf("%v before the TTL was over", yields)
		}
		time.Sleep(2 * time.Second)
		expired := j.one(t)
		expired.want(t, discovery.Live, nil, "b")
		if expired.Refused > 0 {
			t.Errorf("refusals %v; want an old record to be no malformed one", expired.Refusals)
		}
		r.renew("orders/a.json", 0)
		look()
		j.one(t).want(t, discovery.Live, nil, "a", "b")
		r.renew("orders/a.json", time.Minute)
		look()
		j.one(t).want(t, discovery.Live, nil, "b")
	})
}

// A clock that was set back leaves files of the future behind. They count as
// new when they are first seen, and not until that future comes.
func TestRecordOfTheFutureExpires(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80","ttl":"15s"}`)
		r.renew("orders/a.json", -time.Hour)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a")
		time.Sleep(16 * time.Second)
		j.one(t).want(t, discovery.Live, nil)
	})
}

// A malformed file is not renewed by being written.
func TestMalformedRecordExpires(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80","ttl":"15s"}`)
		r.renew("orders/a.json", 0)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a")
		time.Sleep(10 * time.Second)
		r.write("orders/a.json", `x`)
		r.renew("orders/a.json", 0)
		look()
		j.one(t).want(t, discovery.Live, nil, "a")
		time.Sleep(5 * time.Second)
		j.one(t).want(t, discovery.Live, nil)
	})
}

// A process that died hard and came back has its old file beside the new one.
func TestYoungestOfOneAddress(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.write("orders/z.json", `{"id":"z","addr":"10.0.0.1:80","ttl":"15s","startedAt":"2000-01-01T00:00:00Z"}`)
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80","ttl":"15s","startedAt":"2000-01-01T00:00:01Z"}`)
		r.write("orders/hand.json", `{"id":"hand","addr":"10.0.0.1:80"}`)
		r.renew("orders/z.json", 0)
		r.renew("orders/a.json", 0)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a", "hand")
		r.must(os.Remove(r.path("orders/a.json")))
		look()
		j.one(t).want(t, discovery.Live, nil, "hand", "z")
	})
}

func TestFileConfigValidate(t *testing.T) {
	for _, row := range []struct {
		name   string
		config discovery.FileConfig
		field  string // of the error; "": none
	}{
		{"Least", discovery.FileConfig{Dir: "instances"}, ""},
		{"Everything", discovery.FileConfig{Dir: "/run/instances", Interval: 10 * time.Millisecond, TTL: time.Hour, Logger: slog.Default()}, ""},
		{"NoDir", discovery.FileConfig{}, "FileConfig.Dir"},
		{"IntervalTooShort", discovery.FileConfig{Dir: "d", Interval: time.Millisecond}, "FileConfig.Interval"},
		{"TTLTooShort", discovery.FileConfig{Dir: "d", TTL: time.Second - 1}, "FileConfig.TTL"},
		{"TTLNegative", discovery.FileConfig{Dir: "d", TTL: -time.Second}, "FileConfig.TTL"},
		{"TTLTooLong", discovery.FileConfig{Dir: "d", TTL: time.Hour + 1}, "FileConfig.TTL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := row.config.Open()
			bad, _ := errors.AsType[*discovery.FieldError](err)
			if row.field == "" && err != nil || row.field != "" && (bad == nil || bad.Field != row.field || r != nil) {
				t.Errorf("Open() = %v, %v; want an error of the field %q", r, err, row.field)
			}
		})
	}
}

func TestFileRefreshLooksAtOnce(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil)
		r.write("orders/a.json", `{"id":"a","addr":"10.0.0.1:80"}`)
		began := time.Now()
		r.must(r.file.Refresh(t.Context(), "orders"))
		j.one(t).want(t, discovery.Live, nil, "a")
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestRelativeDirIsThatOfTheBeginning(t *testing.T) {
	began := t.TempDir()
	t.Chdir(began)
	f := openFile(t, discovery.FileConfig{Dir: "instances"})
	t.Chdir(t.TempDir())
	reg, err := f.Register(t.Context(), order("a", "10.0.0.1:80"))
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(began, "instances", "orders", "a.json")); err != nil {
		t.Error(err)
	}
}

func TestFileIsLocalAndDNSIsNot(t *testing.T) {
	type local interface{ Local() bool }
	if l, ok := any(new(discovery.File)).(local); !ok || !l.Local() {
		t.Error("a File does not say that it is of this host alone")
	}
	if _, ok := any(new(discovery.DNS)).(local); ok {
		t.Error("a DNS says something of being local")
	}
}
