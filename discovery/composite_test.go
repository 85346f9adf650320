package discovery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// composed plays with a composite of two scripted members and one watch of it.
func composed(t *testing.T, rule discovery.Rule, test func(t *testing.T, c *discovery.Composite, a, b *scripted, orders *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted("a"), newScripted("b")
		c := composite(t, rule, a, b)
		test(t, c, a, b, follow(t.Context(), c, "orders"))
	})
}

// The members count for themselves: b is at a much smaller revision than a.
func TestCompositeRevisionNeverGoesBack(t *testing.T) {
	for _, rule := range []discovery.Rule{discovery.Prefer, discovery.Merge} {
		t.Run(rule.String(), func(t *testing.T) {
			composed(t, rule, func(t *testing.T, _ *discovery.Composite, a, b *scripted, orders *journal) {
				for range 50 {
					a.says(live, nil, "x")
				}
				b.says(live, nil, "y")
				a.says(live, nil)
				a.says(stale, errAway)
				b.says(live, nil, "y", "z")
				a.says(live, nil, "x")
				b.says(live, nil)
				yields, _ := orders.take()
				for n := 1; n < len(yields); n++ {
					before, now := yields[n-1], yields[n]
					if now.Revision < before.Revision {
						t.Errorf("the revision goes back from %d (%s) to %d (%s)", before.Revision, before.told(), now.Revision, now.told())
					}
					if changed := strings.Join(now.ids(), " ") != strings.Join(before.ids(), " "); changed && now.Revision == before.Revision {
						t.Errorf("the revision stays at %d from %s to %s", now.Revision, before.told(), now.told())
					}
				}
				if len(yields) < 4 {
					t.Errorf("%d yields are too few to show anything", len(yields))
				}
			})
		})
	}
}

// An instance that both registries know as the same keeps its pointer when the
// record of another counts; one that is different in anything does not.
func TestCompositeKeepsPointersOfUnchangedInstances(t *testing.T) {
	whole := func() *discovery.Instance {
		i := valid()
		i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: i.Addr}}
		i.Meta = map[string]string{"lane": "blue"}
		return &i
	}
	for _, row := range []struct {
		name   string
		change func(*discovery.Instance)
		keeps  bool
	}{
		{"Nothing", func(*discovery.Instance) {}, true},
		{"SameMomentElsewhere", func(i *discovery.Instance) { i.StartedAt = i.StartedAt.In(time.FixedZone("CET", 3600)) }, true},
		{"Addr", func(i *discovery.Instance) { i.Addr = "10.0.0.8:8080" }, false},
		{"Endpoints", func(i *discovery.Instance) { i.Endpoints[0].Protocol = discovery.GRPC }, false},
		{"Weight", func(i *discovery.Instance) { i.Weight = 7 }, false},
		{"Region", func(i *discovery.Instance) { i.Region = "eu" }, false},
		{"Zone", func(i *discovery.Instance) { i.Zone = "eu-1" }, false},
		{"Version", func(i *discovery.Instance) { i.Version = "2" }, false},
		{"Draining", func(i *discovery.Instance) { i.Draining = true }, false},
		{"BootID", func(i *discovery.Instance) { i.BootID = "x" }, false},
		{"StartedAt", func(i *discovery.Instance) { i.StartedAt = i.StartedAt.Add(1) }, false},
		{"Meta", func(i *discovery.Instance) { i.Meta["lane"] = "green" }, false},
	} {
		for _, rule := range []discovery.Rule{discovery.Prefer, discovery.Merge} {
			t.Run(row.name+"/"+rule.String(), func(t *testing.T) {
				composed(t, rule, func(t *testing.T, _ *discovery.Composite, a, b *scripted, orders *journal) {
					original, other := whole(), whole()
					row.change(other)
					a.instances["7f3a"], b.instances["7f3a"] = original, other
					a.says(live, nil, "7f3a")
					time.Sleep(time.Millisecond) // so that the other list is told for its AsOf
					b.says(live, nil, "7f3a")
					first := orders.one(t)
					a.says(live, nil)
					second := orders.one(t)
					if kept := second.Instances[0] == first.Instances[0]; kept != row.keeps {
						t.Errorf("keeps its pointer: %t, want %t", kept, row.keeps)
					}
					if kept := second.Revision == first.Revision; kept != row.keeps {
						t.Errorf("keeps the revision: %t, want %t", kept, row.keeps)
					}
					if b.last.Instances[0] != other {
						t.Error("the list of the member was written to")
					}
				})
			})
		}
	}
}

// Whoever had a list refreshed waits to hear of it, be it the same.
func TestCompositeTellsThatAListWasConfirmed(t *testing.T) {
	for _, rule := range []discovery.Rule{discovery.Prefer, discovery.Merge} {
		t.Run(rule.String(), func(t *testing.T) {
			composed(t, rule, func(t *testing.T, _ *discovery.Composite, a, b *scripted, orders *journal) {
				a.says(live, nil, "x")
				b.says(live, nil, "x")
				first := orders.one(t)
				time.Sleep(time.Second)
				b.says(live, nil, "x")
				if yields, _ := orders.take(); len(yields) != 0 {
					t.Errorf("yields %q though only the list that does not count was confirmed", yields[0].told())
				}
				a.says(live, nil, "x")
				second := orders.one(t)
				if !second.AsOf.Equal(time.Now()) || second.Revision != first.Revision || second.Instances[0] != first.Instances[0] {
					t.Errorf("%+v after %+v; want the same list as of now", second.Snapshot, first.Snapshot)
				}
			})
		})
	}
}

func TestCompositeAsOfIsTheOldest(t *testing.T) {
	composed(t, discovery.Merge, func(t *testing.T, _ *discovery.Composite, a, b *scripted, orders *journal) {
		want := func(what string, at time.Time) {
			t.Helper()
			if got := orders.one(t); !got.AsOf.Equal(at) {
				t.Errorf("%s: AsOf %v of %s, want %v", what, got.AsOf, got.told(), at)
			}
		}
		began := time.Now()
		a.says(live, nil, "x")
		time.Sleep(time.Minute)
		orders.take()
		b.says(live, nil, "y")
		want("both live", began)

		time.Sleep(time.Minute)
		a.says(stale, errAway, "x")
		lost := time.Now()
		want("one stale, the other live and older", lost)

		time.Sleep(time.Minute)
		b.says(stale, errLost, "y")
		want("both stale", lost)

		time.Sleep(time.Minute)
		a.says(cold, errAway) // which no sound registry says
		orders.take()
		b.says(live, nil, "y")
		want("one cold, the other live", time.Now())
	})
}

func TestCompositeUsesTheThirdToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newScripted("a"), newScripted("b"), newScripted("c")
		prefer := follow(t.Context(), composite(t, discovery.Prefer, a, b, c), "orders")
		merge := follow(t.Context(), composite(t, discovery.Merge, a, b, c), "orders")
		a.says(cold, errAway)
		b.says(live, nil)
		c.says(live, nil, "x")
		if got := prefer.one(t).told(); got != "live x@c" {
			t.Errorf("Prefer yields %q", got)
		}
		if got := merge.one(t).told(); got != "stale x@c: registry a: the registry is away" {
			t.Errorf("Merge yields %q", got)
		}
	})
}

func TestCompositeEndsWhenAllMembersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := new(discovery.Memory), new(discovery.Memory)
		orders := follow(t.Context(), composite(t, discovery.Merge, a, b), "orders")
		register(t, a, "x")
		orders.take()
		a.Close()
		if yields, ended := orders.take(); ended || len(yields) != 1 || !errors.Is(yields[0].err, discovery.ErrClosed) || yields[0].State != stale {
			t.Errorf("yields %+v, ended %t, after one of two members was closed; want a stale set, and no end", yields, ended)
		}
		b.Close()
		yields, ended := orders.take()
		if len(yields) != 1 || !ended {
			t.Fatalf("%d yields, ended %t, after both members were closed; want one and the end", len(yields), ended)
		}
		yields[0].want(t, stale, discovery.ErrClosed, "x")
	})
}

func TestCompositeCloseEndsEverything(t *testing.T) {
	composed(t, discovery.Prefer, func(t *testing.T, c *discovery.Composite, a, b *scripted, orders *journal) {
		a.says(live, nil, "x")
		orders.one(t)
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		closed := time.Now()
		yields, ended := orders.take()
		if len(yields) != 1 || !ended {
			t.Fatalf("%d yields, ended %t; want one and the end", len(yields), ended)
		}
		yields[0].want(t, stale, discovery.ErrClosed, "x")
		if !yields[0].AsOf.Equal(closed) {
			t.Errorf("AsOf = %v, want the moment of Close, %v", yields[0].AsOf, closed)
		}
		late, ended := follow(t.Context(), c, "orders").take()
		if len(late) != 1 || !ended {
			t.Fatalf("a watch after Close: %d yields, ended %t; want one and the end", len(late), ended)
		}
		late[0].want(t, cold, discovery.ErrClosed)
		if _, err := c.Register(t.Context(), valid()); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Register after Close: error %v, want ErrClosed", err)
		}
	})
}

// deaf is a registry whose watches do not end.
type deaf struct{ end chan struct{} }

func (d deaf) Watch(context.Context, string) iter.Seq2[discovery.Snapshot, error] {
	return func(func(discovery.Snapshot, error) bool) { <-d.end }
}

func TestCompositeCloseWaitsForItsWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deaf{make(chan struct{})}
		c := composite(t, discovery.Merge, new(discovery.Memory), d)
		follow(t.Context(), c, "orders")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: error %v while a member's watch goes on; want that the time is over", err)
		}
		close(d.end)
	})
}

// slowly is a memory whose watches take a second to end.
type slowly struct {
	discovery.Memory
	watches atomic.Int64
}

func (r *slowly) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		r.watches.Add(1)
		defer r.watches.Add(-1)
		r.Memory.Watch(ctx, service)(yield)
		time.Sleep(time.Second)
	}
}

func TestCompositeWatchEndsAfterThoseOfItsMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m slowly
		c := composite(t, discovery.Merge, new(discovery.Memory), &m)
		for range c.Watch(t.Context(), "orders") {
			break
		}
		if n := m.watches.Load(); n != 0 {
			t.Errorf("%d watches of a member go on after the loop was left", n)
		}
		if s := c.State().(discovery.CompositeState); len(s.Services) != 0 {
			t.Errorf("State() = %+v after the loop was left; want no watch", s)
		}
	})
}

// able is a registry with all that a registry may have beside its Watch.
type able struct {
	discovery.Memory
	local     bool
	refreshed []string
	err       error
}

func (r *able) Local() bool { return r.local }
func (r *able) State() any  { return "able" }
func (r *able) Refresh(ctx context.Context, service string) error {
	r.refreshed = append(r.refreshed, service)
	return r.err
}

// silent is a registry that has its Watch and nothing else.
type silent struct{ discovery.Registry }

func TestCompositeIsLocalIfAllMembersAre(t *testing.T) {
	for _, row := range []struct {
		name    string
		members []discovery.Registry
		want    bool
	}{
		{"All", []discovery.Registry{&able{local: true}, &able{local: true}}, true},
		{"OneIsNot", []discovery.Registry{&able{local: true}, &able{}}, false},
		{"OneDoesNotSay", []discovery.Registry{&able{local: true}, silent{new(discovery.Memory)}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := composite(t, discovery.Merge, row.members...).Local(); got != row.want {
				t.Errorf("Local() = %t, want %t", got, row.want)
			}
		})
	}
}

func TestCompositeRefreshesAllMembersThatCan(t *testing.T) {
	a, b := &able{err: errAway}, &able{}
	c := composite(t, discovery.Prefer, a, new(discovery.Memory), b)
	err := c.Refresh(t.Context(), "orders")
	if !errors.Is(err, errAway) || err.Error() != "registry a: the registry is away" {
		t.Errorf("Refresh: error %v; want that of the member that failed, and which it is", err)
	}
	if len(a.refreshed) != 1 || len(b.refreshed) != 1 || b.refreshed[0] != "orders" {
		t.Errorf("refreshed were %q and %q; want orders in both", a.refreshed, b.refreshed)
	}
	a.err = nil
	if err := c.Refresh(t.Context(), "orders"); err != nil {
		t.Errorf("Refresh: error %v", err)
	}
}

// What members left out of metadata is told of all that count, as what they
// refused is.
func TestCompositeTellsOfDroppedMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted("a"), newScripted("b")
		orders := follow(t.Context(), composite(t, discovery.Merge, a, b), "orders")
		a.drops(2, "x")
		b.drops(10, "y")
		got := orders.one(t)
		want := []discovery.Refusal{{Key: "a: x", Reason: "left out"}, {Key: "b: y", Reason: "left out"}}
		if got.Dropped != 12 || !slices.Equal(got.Drops, want) || len(got.Instances) != 2 {
			t.Errorf("%d dropped, %v, want 12, %v", got.Dropped, got.Drops, want)
		}
		b.drops(9, "y") // nothing else changed
		if got := orders.one(t); got.Dropped != 11 {
			t.Errorf("%d dropped after one was mended, want 11", got.Dropped)
		}
	})
}

func TestCompositeStateShowsEachMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := new(able), newScripted("b")
		c := composite(t, discovery.Prefer, a, b)
		orders := follow(t.Context(), c, "orders")
		follow(t.Context(), c, "orders")
		b.says(live, nil, "x", "y")
		orders.one(t)
		b.says(stale, errAway, "x", "y")
		orders.one(t)
		got, err := json.Marshal(c.State())
		if err != nil {
			t.Fatal(err)
		}
		asOf, _ := time.Now().MarshalJSON()
		want := strings.NewReplacer("\n", "", "\t", "", "NOW", string(asOf)).Replace(`{
			"rule":"prefer",
			"members":[{"name":"a","registers":true,"registry":"able"},{"name":"b","registers":false}],
			"services":[{"service":"orders","state":"stale","revision":1,"asOf":NOW,"instances":2,"used":"b","error":"registry b: the registry is away","members":[
				{"name":"a","state":"live","asOf":NOW,"instances":0},
				{"name":"b","state":"stale","asOf":NOW,"instances":2,"error":"registry b: the registry is away"}]}]}`)
		if string(got) != want {
			t.Errorf("State() is\n%s, want\n%s", got, want)
		}
	})
}

func TestCompositeLogsWhichMemberIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a, b := newScripted("a"), newScripted("b")
		c, err := discovery.NewComposite(discovery.CompositeConfig{
			Members: []discovery.Member{{Name: "a", Registry: a}, {Name: "b", Registry: b}},
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})),
		})
		if err != nil {
			t.Fatal(err)
		}
		follow(t.Context(), c, "orders")
		lines := func() string {
			synctest.Wait()
			defer log.Reset()
			return log.String()
		}
		b.says(live, nil, "y")
		a.says(live, nil, "x")
		if got := lines(); got != "" {
			t.Errorf("the first member is in use from the beginning: log %q", got)
		}
		a.says(live, nil)
		if got, want := lines(), `level=WARN msg="fairlead: a fallback registry is in use" service=orders registry=b passedOver="[a: no instances]"`+"\n"; got != want {
			t.Errorf("log %q, want %q", got, want)
		}
		b.says(live, nil, "y", "z")
		if got := lines(); got != "" {
			t.Errorf("the same member is in use: log %q", got)
		}
		b.says(live, nil)
		a.says(live, nil, "x")
		if got, want := lines(), `level=INFO msg="fairlead: a preferred registry is in use again" service=orders registry=a`+"\n"; got != want {
			t.Errorf("log %q, want %q", got, want)
		}
	})
}
