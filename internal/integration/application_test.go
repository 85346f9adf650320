package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// The same application runs on every registry: they differ in one constructor.
func TestApplication(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		store func(t *testing.T) store
	}{
		{"Memory", inMemory},
		{"Etcd", inEtcd("")},
		{"File", inFiles},
		{"PreferEtcd", several(discovery.Prefer, inEtcd(""), inMemory)},
		{"PreferEtcdWhichIsEmpty", several(discovery.Prefer, readOnly(inEtcd("")), inMemory)},
		{"MergeOfEtcdAndMemory", several(discovery.Merge, inEtcd(""), inMemory)},
		{"MergeOfTwoInEtcd", several(discovery.Merge, inEtcd("old/"), inEtcd("next/"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			testApplication(t, row.store(t))
		})
	}
}

// store is where the processes of an application meet.
type store struct {
	opener   transport.Opener
	readOnly bool // as a member of several
	// lose makes the store forget the record of an instance; nil: it does not.
	lose func(service, id string)
}

type memory struct{ *discovery.Memory }

func (m memory) Open() (discovery.Registry, error) { return m.Memory, nil }

func inMemory(*testing.T) store { return store{opener: memory{new(discovery.Memory)}} }

func inFiles(t *testing.T) store {
	dir := t.TempDir()
	return store{opener: discovery.FileConfig{Dir: dir, Interval: 50 * time.Millisecond}, lose: func(service, id string) {
		if err := os.Remove(filepath.Join(dir, service, id+".json")); err != nil {
			t.Errorf("deleting the record of %s: %v", id, err)
		}
	}}
}

func inEtcd(below string) func(*testing.T) store {
	return func(t *testing.T) store {
		server := etcdtest.Shared(t)
		client := server.Client(t)
		c := config(t, server.Endpoint())
		c.Prefix += below
		return store{opener: c, lose: func(service, id string) {
			r, err := client.Delete(context.Background(), c.Prefix+"instances/"+service+"/"+id)
			if err != nil || r.Deleted != 1 {
				t.Errorf("deleting the record of %s: %+v, error %v", id, r, err)
			}
		}}
	}
}

func readOnly(inner func(*testing.T) store) func(*testing.T) store {
	return func(t *testing.T) store {
		s := inner(t)
		s.readOnly, s.lose = true, nil
		return s
	}
}

func several(rule discovery.Rule, members ...func(*testing.T) store) func(*testing.T) store {
	return func(t *testing.T) store {
		c, all := discovery.CompositeConfig{Rule: rule}, store{}
		for n, open := range members {
			s := open(t)
			c.Members = append(c.Members, discovery.Member{Name: fmt.Sprint("member", n), Open: s.opener.Open, ReadOnly: s.readOnly})
			if all.lose == nil {
				all.lose = s.lose
			}
		}
		all.opener = c
		return all
	}
}

// testApplication is the life of an application under load. Its sub-tests
// follow one another; not one call fails in any of them.
func testApplication(t *testing.T, s store) {
	a := newApplication(t, s.opener)
	shops := []*process{a.shop("shop-1"), a.shop("shop-2")}
	orders := []*process{a.orders("orders-1"), a.orders("orders-2")}
	a.sees(t, "shop", "shop-1", "shop-2")
	a.sees(t, "orders", "orders-1", "orders-2")
	l := a.load()

	t.Run("EveryInstanceIsCalled", func(t *testing.T) {
		l.reaches(t, "orders-1", "orders-2", "shop-1 orders-1", "shop-1 orders-2", "shop-2 orders-1", "shop-2 orders-2")
		l.unharmed(t)
	})
	t.Run("NewInstanceIsCalled", func(t *testing.T) {
		orders = append(orders, a.orders("orders-3"))
		shops = append(shops, a.shop("shop-3"))
		a.sees(t, "orders", "orders-1", "orders-2", "orders-3")
		a.sees(t, "shop", "shop-1", "shop-2", "shop-3")
		l.reaches(t, "orders-3", "shop-1 orders-3", "shop-3 orders-3")
		l.unharmed(t)
	})
	t.Run("LeavingInstanceIsNotMissed", func(t *testing.T) {
		stop(orders[0], shops[0])
		a.sees(t, "orders", "orders-2", "orders-3")
		a.sees(t, "shop", "shop-2", "shop-3")
		l.answered()
		l.reaches(t, "orders-2", "shop-2 orders-2", "shop-3 orders-3")
		l.unharmed(t)
	})
	t.Run("WeightCounts", func(t *testing.T) {
		a.weighs(t, l)
		a.sees(t, "orders", "orders-2", "orders-3")
		l.unharmed(t)
	})
	t.Run("UnreadyInstanceIsWithdrawn", func(t *testing.T) {
		var ready atomic.Bool
		p := a.readyOrders("orders-4", ready.Load)
		for range 2 {
			ready.Store(true)
			a.sees(t, "orders", "orders-2", "orders-3", "orders-4")
			l.answered()
			l.reaches(t, "orders-4", "shop-2 orders-4")
			ready.Store(false)
			a.sees(t, "orders", "orders-2", "orders-3")
		}
		p.stop()
		l.unharmed(t)
	})
	t.Run("LostRecordIsRepaired", func(t *testing.T) {
		if s.lose == nil {
			t.Skip("this store loses nothing")
		}
		s.lose("orders", "orders-2")
		s.lose("shop", "shop-2")
		for _, p := range []*process{orders[1], shops[1]} {
			eventually(t, "the registration was repaired", func() bool {
				r := p.mesh.Dump().Registrations
				return len(r) == 1 && r[0].Registered && r[0].Repairs > 0
			})
		}
		a.sees(t, "orders", "orders-2", "orders-3")
		a.sees(t, "shop", "shop-2", "shop-3")
		l.answered()
		l.reaches(t, "orders-2", "shop-2 orders-3", "shop-3 orders-2")
		l.unharmed(t)
	})
	t.Run("NobodyIsLeftBehind", func(t *testing.T) {
		l.stop()
		stop(slices.Concat(shops, orders)...)
		a.sees(t, "orders")
		a.sees(t, "shop")
		l.unharmed(t)
		for _, s := range a.client.Dump().Services {
			if s.State != discovery.Live || s.Trouble != "" || s.Refused > 0 {
				t.Errorf("%s ends as %s, trouble %q, %d records refused", s.Service, s.State, s.Trouble, s.Refused)
			}
		}
	})
}

// sees waits until the client has exactly these instances, none of them
// draining, in a live list.
func (a *application) sees(t *testing.T, service string, ids ...string) {
	t.Helper()
	a.until(t, service, fmt.Sprintf("exactly %v", ids), func(s discovery.Snapshot) bool {
		got := []string{}
		for _, i := range s.Instances {
			if i.Draining {
				return false
			}
			got = append(got, i.ID)
		}
		return strings.Join(got, " ") == strings.Join(ids, " ")
	})
}

// until waits for a live list as wanted, as those see it who call.
func (a *application) until(t *testing.T, service, what string, wanted func(discovery.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	views, err := a.client.Views(ctx, service)
	if err != nil {
		t.Fatal(err)
	}
	last := "nothing"
	for v := range views {
		last = report{Snapshot: v.Snapshot}.String()
		if v.Snapshot.State == discovery.Live && wanted(v.Snapshot) {
			return
		}
	}
	t.Fatalf("the client did not come to see %s: it saw %s", what, last)
}

// reaches waits until each of these was answered.
func (l *load) reaches(t *testing.T, answers ...string) {
	t.Helper()
	seen := map[string]int{}
	eventually(t, fmt.Sprintf("all of %q were answered", answers), func() bool {
		for answer, n := range l.answered() {
			seen[answer] += n
		}
		return !slices.ContainsFunc(answers, func(answer string) bool { return seen[answer] == 0 })
	})
}

// weighs lets an instance that does all by hand become a hundredth of the
// others, and leave.
func (a *application) weighs(t *testing.T, l *load) {
	s, err := fairgrpc.Server(ordersServer("heavy"), listen(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }() // received from below
	m := a.open()
	defer a.close(m)
	r, err := m.Register(t.Context(), discovery.Instance{Service: "orders", ID: "heavy", Endpoints: []discovery.Endpoint{s.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, r)
	l.reaches(t, "heavy", "shop-2 heavy")

	light := r.Instance()
	light.Weight = 1
	if err := r.Update(light); err != nil {
		t.Fatal(err)
	}
	proved(t, r)
	a.until(t, "orders", "weight 1", func(s discovery.Snapshot) bool {
		return slices.ContainsFunc(s.Instances, func(i *discovery.Instance) bool { return i.ID == "heavy" && i.Weight == 1 })
	})
	l.answered()
	calls, all := map[string]int{}, 0
	eventually(t, "there was enough traffic", func() bool {
		for answer, n := range l.answered() {
			if strings.HasPrefix(answer, "orders-") || answer == "heavy" {
				calls[answer], all = calls[answer]+n, all+n
			}
		}
		return all > 600
	})
	if got := calls["heavy"]; got > all/10 {
		t.Errorf("an instance with a hundredth of the others' weight got %d of %d calls: %v", got, all, calls)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
	a.until(t, "orders", "it draining", func(s discovery.Snapshot) bool {
		return slices.ContainsFunc(s.Instances, func(i *discovery.Instance) bool { return i.ID == "heavy" && i.Draining })
	})
	during(t, 2*time.Second) // the shops hear of it on their own
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
