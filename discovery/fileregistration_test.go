package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestRegistrationIsAFileOfItsOwn(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.must(os.RemoveAll(r.dir)) // the first registration makes it
		r.register(r.file, order("a", "10.0.0.1:80"))
		for path, mode := range map[string]fs.FileMode{"": 0o700, "orders": 0o700, "orders/a.json": 0o600} {
			info, err := os.Stat(r.path(path))
			r.must(err)
			if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
				t.Errorf("mode of %q is %v, want %v", path, info.Mode().Perm(), mode)
			}
		}
		if content := r.read("orders/a.json"); !strings.Contains(content, `"ttl":"15s"`) {
			t.Errorf("file holds %s; want its ttl", content)
		}
		r.onlyFile("a.json")
	})
}

// onlyFile wants nothing else in orders, such as temporary files.
func (r *fileRig) onlyFile(names ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.path("orders"))
	r.must(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		r.t.Errorf("orders holds %q, want %q", got, names)
	}
}

func TestRegistrationWithAnyIDIsFound(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		ids := []string{".a", "-a", "10.0.0.1:80", "2001:db8::1:80", "A.json", "a..b", strings.Repeat(":", 128)}
		for n, id := range ids {
			r.register(r.file, order(id, "10.0.0."+string(rune('1'+n))+":80"))
		}
		slices.Sort(ids)
		s, err := latest(t, r.another(), "orders")
		entry{s, err}.want(t, discovery.Live, nil, ids...)
	})
}

func TestRegistrationIsRenewed(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		reg := r.register(r.file, order("a", "10.0.0.1:80"))
		r.register(r.file, order("b", "10.0.0.2:80"))
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a", "b")
		for range 100 {
			for _, name := range []string{"orders/a.json", "orders/b.json"} {
				info, err := os.Stat(r.path(name))
				r.must(err)
				if age := time.Since(info.ModTime()); age < 0 || age > 15*time.Second/4 {
					t.Fatalf("%s is %s old, want at most a quarter of the TTL", name, age)
				}
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		if yields, _ := j.take(); len(yields) > 0 {
			t.Errorf("%v although nothing has changed", yields)
		}
		if s := reg.State(); s.Repairs != 0 {
			t.Errorf("%d repairs of an undisturbed file", s.Repairs)
		}
	})
}

func TestRegistrationIsRepaired(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(r *fileRig)
	}{
		{"Removed", func(r *fileRig) { r.must(os.Remove(r.path("orders/a.json"))) }},
		{"RemovedWithItsDirectory", func(r *fileRig) { r.must(os.RemoveAll(r.path("orders"))) }},
		{"RemovedWithEverything", func(r *fileRig) { r.must(os.RemoveAll(r.dir)) }},
		{"Changed", func(r *fileRig) {
			r.write("orders/a.json", strings.Replace(r.read("orders/a.json"), "10.0.0.1", "10.0.0.9", 1))
		}},
		{"Spoilt", func(r *fileRig) { r.write("orders/a.json", "x") }},
		{"Emptied", func(r *fileRig) { r.must(os.Truncate(r.path("orders/a.json"), 0)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			withFiles(t, func(t *testing.T, r *fileRig) {
				reg := r.register(r.file, order("a", "10.0.0.1:80"))
				before := r.read("orders/a.json")
				row.spoil(r)
				time.Sleep(4 * time.Second)
				synctest.Wait()
				if after := r.read("orders/a.json"); after != before {
					t.Errorf("the file holds %s, want %s", after, before)
				}
				if s := reg.State(); s.Repairs != 1 || !s.Registered {
					t.Errorf("state %+v, want it registered after one repair", s)
				}
			})
		})
	}
}

// Two registrations of one name take it from each other for ever, and say so.
func TestRegistrationThatWasTakenOverIsRepaired(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		ours := r.register(r.file, order("a", "10.0.0.1:80"))
		theirs := r.register(r.another(), order("a", "10.0.0.2:80"))
		time.Sleep(time.Minute)
		for _, reg := range []discovery.Registration{ours, theirs} {
			if s := reg.State(); s.Repairs < 2 {
				t.Errorf("state %+v, want repairs", s)
			}
		}
	})
}

// slow is a log that hangs for a while at the first line, and the registry
// with it, as a process does that is stopped.
type slow struct {
	lines
	hang sync.Once
}

func (s *slow) WithAttrs([]slog.Attr) slog.Handler { return s }

func (s *slow) Handle(ctx context.Context, r slog.Record) error {
	s.hang.Do(func() { time.Sleep(time.Minute) })
	return s.lines.Handle(ctx, r)
}

func TestRegistrationOfAFrozenProcessIsRepaired(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil)
		frozen, err := discovery.NewFile(discovery.FileConfig{Dir: r.dir, Logger: slog.New(new(slow))})
		r.must(err)
		defer frozen.Close(t.Context())
		reg := r.register(frozen, order("a", "10.0.0.1:80"))
		look()
		j.one(t).want(t, discovery.Live, nil, "a")
		time.Sleep(20 * time.Second)
		j.one(t).want(t, discovery.Live, nil)
		time.Sleep(time.Minute)
		j.one(t).want(t, discovery.Live, nil, "a")
		if s := reg.State(); s.Repairs != 1 || !s.Registered {
			t.Errorf("state %+v, want it registered after one repair", s)
		}
	})
}

// Two registrations of one name: each leaves the other's file alone when it
// goes, and the one that stays has the last word.
func TestRegistrationThatWasTakenOverLeavesTheFile(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		ours := r.register(r.file, order("a", "10.0.0.1:80"))
		theirs := r.register(r.another(), order("a", "10.0.0.2:80"))
		taken := r.read("orders/a.json")
		r.must(ours.Close(t.Context()))
		if got := r.read("orders/a.json"); got != taken {
			t.Errorf("the file holds %s, want what the other registration wrote", got)
		}
		time.Sleep(time.Minute)
		s, err := latest(t, r.another(), "orders")
		entry{s, err}.want(t, discovery.Live, nil, "a")
		if s.Instances[0].Addr != "10.0.0.2:80" || !theirs.State().Registered {
			t.Errorf("%+v, state %+v; want the registration that stayed", s.Instances[0], theirs.State())
		}
	})
}

// Somebody wrote a list by hand over the file: it is his.
func TestRegistrationLeavesAFileThatAPersonPutThere(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		reg := r.register(r.file, order("a", "10.0.0.1:80"))
		r.write("orders/a.json", `{"id":"hand","addr":"10.0.0.2:80"}`)
		r.must(reg.Close(t.Context()))
		r.onlyFile("a.json")
	})
}

func TestRegistrationOfAKilledProcessExpires(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.register(r.file, order("a", "10.0.0.1:80"))
		left := r.read("orders/a.json")
		r.must(r.file.Close(t.Context()))
		r.write("orders/a.json", left) // as if nobody had closed it
		r.renew("orders/a.json", 0)
		r.file = r.another()
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a")
		time.Sleep(14 * time.Second)
		if yields, _ := j.take(); len(yields) > 0 {
			t.Fatalf("%v before the TTL was over", yields)
		}
		time.Sleep(2 * time.Second)
		j.one(t).want(t, discovery.Live, nil)
		time.Sleep(time.Hour)
		s, err := latest(t, r.another(), "orders") // nor for those who come later
		entry{s, err}.want(t, discovery.Live, nil)
	})
}

func TestRegistrationWaitsForADirectoryThatCanBeWritten(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.must(os.RemoveAll(r.path("orders")))
		r.write("orders", "") // a file where the directory should be
		reg, err := r.file.Register(t.Context(), order("a", "10.0.0.1:80"))
		r.must(err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := reg.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "orders") {
			t.Errorf("Wait: %v; want the deadline and what is wrong", err)
		}
		if s := reg.State(); s.Registered || !strings.Contains(s.Reason, "orders") {
			t.Errorf("state %+v, want it not registered, and why", s)
		}
		r.must(os.Remove(r.path("orders")))
		time.Sleep(4 * time.Second) // the longest pause
		synctest.Wait()
		if s := reg.State(); !s.Registered || s.Repairs != 0 {
			t.Errorf("state %+v, want it registered, and nothing repaired that was never there", s)
		}
	})
}

// A directory that cannot be reached any more: the file counts for its TTL,
// and then no more.
func TestRegistrationThatCannotBeRenewedIsLost(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		reg := r.register(r.file, order("a", "10.0.0.1:80"))
		r.must(os.Rename(r.dir, r.dir+"-away"))
		r.must(os.WriteFile(r.dir, nil, 0o600))
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if s := reg.State(); !s.Registered {
			t.Errorf("state %+v before the TTL is over", s)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if s := reg.State(); s.Registered || s.Reason == "" {
			t.Errorf("state %+v, want it not registered, for a reason", s)
		}
		r.must(os.Remove(r.dir))
		r.must(os.Rename(r.dir+"-away", r.dir))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if s := reg.State(); !s.Registered || s.Repairs != 1 {
			t.Errorf("state %+v, want it registered after one repair", s)
		}
	})
}

func TestRegistrationRefusesARecordThatIsTooLarge(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		large := order("a", "10.0.0.1:80")
		large.Meta = map[string]string{}
		for n := range 40 {
			large.Meta[fmt.Sprint("key-", n)] = strings.Repeat("v", 250)
		}
		r.must(large.Normalize(time.Now()).Validate())
		if _, err := r.file.Register(t.Context(), large); !isFieldError(err) {
			t.Errorf("Register: %v, want a FieldError", err)
		}
		reg := r.register(r.file, order("a", "10.0.0.1:80"))
		if err := reg.Update(large); !isFieldError(err) {
			t.Errorf("Update: %v, want a FieldError", err)
		}
	})
}

func isFieldError(err error) bool {
	_, ok := errors.AsType[*discovery.FieldError](err)
	return ok
}

func TestFileCloseWithdraws(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		a := r.register(r.file, order("a", "10.0.0.1:80"))
		r.register(r.file, order("b", "10.0.0.2:80"))
		r.write("orders/hand.json", `{"id":"hand","addr":"10.0.0.3:80"}`)
		j := r.follow()
		j.one(t).want(t, discovery.Live, nil, "a", "b", "hand")
		for range 2 {
			r.must(r.file.Close(t.Context()))
		}
		r.onlyFile("hand.json")
		if s := a.State(); s.Registered || s.Reason != "closed" {
			t.Errorf("state %+v, want it closed", s)
		}
		yields, ended := j.take()
		if len(yields) != 1 || !errors.Is(yields[0].err, discovery.ErrClosed) || !ended {
			t.Errorf("the watch yielded %v, ended: %v; want ErrClosed and the end", yields, ended)
		}
		if _, err := r.file.Register(t.Context(), order("c", "10.0.0.3:80")); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Register after Close: %v", err)
		}
		time.Sleep(time.Hour)
		r.onlyFile("hand.json")
	})
}

func TestFileCloseTellsWhatIsLeft(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.register(r.file, order("a", "10.0.0.1:80"))
		r.must(os.Rename(r.path("orders"), r.path("away")))
		r.write("orders", "")
		if err := r.file.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "orders/a.json") || !strings.Contains(err.Error(), "15s") {
			t.Errorf("Close: %v; want the file that is left, and for how long", err)
		}
	})
}

// What killed processes leave is removed a day later by the next registration
// of the service, and nothing else.
func TestRegistrationSweepsWhatTheDeadLeft(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		for name, file := range map[string]struct {
			content string
			age     time.Duration
		}{
			"dead.json":           {`{"addr":"10.0.0.1:80","ttl":"15s"}`, 25 * time.Hour},
			"dead.json.abcde.tmp": {`{"addr"`, 25 * time.Hour},
			"paused.json":         {`{"addr":"10.0.0.2:80","ttl":"15s"}`, 23 * time.Hour},
			"patient.json":        {`{"addr":"10.0.0.3:80","ttl":"1000h"}`, 25 * time.Hour},
			"hand.json":           {`{"addr":"10.0.0.4:80"}`, 1000 * time.Hour},
			"list.json":           {`[{"addr":"10.0.0.5:80"}]`, 1000 * time.Hour},
			"spoilt.json":         {`{"addr":"10.0.0.6:80","ttl":"15s"`, 1000 * time.Hour},
			"busy.json.abcde.tmp": {`{"addr"`, time.Minute},
			"notes.tmp":           {`buy milk`, 1000 * time.Hour},
		} {
			r.must(os.WriteFile(r.path("orders/"+name), []byte(file.content), 0o600))
			r.renew("orders/"+name, file.age)
		}
		r.register(r.file, order("a", "10.0.0.1:80"))
		synctest.Wait()
		r.onlyFile("a.json", "busy.json.abcde.tmp", "hand.json", "list.json", "notes.tmp", "patient.json", "paused.json", "spoilt.json")
	})
}

func TestFileState(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.register(r.file, order("a", "10.0.0.1:80"))
		r.follow()
		synctest.Wait()
		dir, err := filepath.Abs(r.dir)
		r.must(err)
		wantJSON(t, r.file.State(), `{"dir":`+jsonOf(t, dir)+`,"watches":[{"service":"orders","state":"live","revision":1,"asOf":"2000-01-01T00:00:00Z","instances":1,"looks":1,"readers":1}],`+
			`"registrations":[{"service":"orders","id":"a","registered":true,"announced":true,"since":"2000-01-01T00:00:00Z"}]}`)
	})
}
