package transport_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// crowd is a registry with rules that tells who calls, as the test says, and takes
// down what the mesh wants to be shown.
type crowd struct {
	governed

	mu       sync.Mutex // guards what follows
	said     discovery.Clients
	err      error
	ended    bool
	changed  chan struct{}
	watchers int
	reports  []map[string]float64
}

func newCrowd() *crowd {
	return &crowd{governed: versions("v1-a"), changed: make(chan struct{})}
}

// says tells that the list is now one of so many clients, the mesh among them.
func (c *crowd) says(state discovery.State, number int, err error) {
	list := discovery.Clients{Service: "orders", State: state, Number: number}
	for n := range number {
		list.Clients = append(list.Clients, discovery.Client{ID: string(rune('a' + n)), Self: n == 0})
	}
	c.change(func() { c.said, c.err = list, err })
}

func (c *crowd) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *crowd) WatchClients(ctx context.Context, _ string) iter.Seq2[discovery.Clients, error] {
	return func(yield func(discovery.Clients, error) bool) {
		watching := func(by int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.watchers += by
		}
		watching(1)
		defer watching(-1)
		for ctx.Err() == nil {
			c.mu.Lock()
			said, err, ended, changed := c.said, c.err, c.ended, c.changed
			c.mu.Unlock()
			if ended || (said.State != discovery.Cold || err != nil) && !yield(said, err) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

func (c *crowd) ReportDemand(_ string, demand map[string]float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, maps.Clone(demand))
}

// reported is what was reported so far, of whoever is watching now.
func (c *crowd) reported() (reports []map[string]float64, watchers int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reports, c.watchers
}

// sharing is a policy of orders with a limit for all of them together; 0: without.
func sharing(perSecond float64) rule.Policy {
	p := ordersPolicy()
	if perSecond > 0 {
		p.Spec.Limits = []rule.RateLimit{{Name: "all", Rate: rule.Rate{Calls: perSecond, Within: time.Second}, Scope: "shared"}}
	}
	return p
}

// shared is what a mesh says of the limit, once its part has become what it is to be.
func shared(t *testing.T, m *transport.Mesh) transport.SharedLimitDump {
	t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	return sharedNow(t, m)
}

func sharedNow(t *testing.T, m *transport.Mesh) transport.SharedLimitDump {
	t.Helper()
	all := service(t, m).SharedLimits
	if len(all) != 1 || all[0].Name != "all" {
		t.Fatalf("shared are %+v", all)
	}
	return all[0]
}

func near(got, want float64) bool { return got > 0.99*want && got < 1.01*want }

func TestASharedLimitIsDividedAmongClients(t *testing.T) {
	for _, row := range []struct {
		name    string
		happens func(*crowd)
		share   float64
		clients int
		state   string
		trouble bool
	}{
		{"nothing was heard yet", func(*crowd) {}, 120, 1, "alone", false},
		{"the registry was never heard", func(c *crowd) { c.says(discovery.Cold, 0, errDown) }, 120, 1, "alone", true},
		{"alone", func(c *crowd) { c.says(discovery.Live, 1, nil) }, 120, 1, "live", false},
		{"four", func(c *crowd) { c.says(discovery.Live, 4, nil) }, 30, 4, "live", false},
		{"the registry fell silent", func(c *crowd) {
			c.says(discovery.Live, 4, nil)
			settled()
			c.says(discovery.Stale, 4, errDown)
		}, 30, 4, "stale", true},
		{"the registry was closed", func(c *crowd) {
			c.says(discovery.Live, 4, nil)
			settled()
			c.change(func() { c.ended = true })
		}, 30, 4, "stale", true},
		{"more came", func(c *crowd) { c.says(discovery.Live, 2, nil); settled(); c.says(discovery.Live, 6, nil) }, 20, 6, "live", false},
		{"some left", func(c *crowd) { c.says(discovery.Live, 6, nil); settled(); c.says(discovery.Live, 2, nil) }, 60, 2, "live", false},
		{"the number is another", func(c *crowd) { c.says(discovery.Live, 4, nil); settled(); c.Put(sharing(240)) }, 60, 4, "live", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd()
				c.Put(sharing(120))
				m := newMesh(t, c)
				knowing(t, m)
				settled()
				row.happens(c)
				got := shared(t, m)
				if !near(got.Share, row.share) || got.Clients != row.clients || got.State != row.state || (got.Trouble != "") != row.trouble || got.Absent != 0 {
					t.Errorf("%+v, want a share of %v among %d, %s", got, row.share, row.clients, row.state)
				}
			})
		})
	}
}

// What all clients lose at one moment is nobody's gain: each sees the others go.
func TestNobodyTakesThePartOfWhoIsBackInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.Put(sharing(100))
		m := newMesh(t, c)
		knowing(t, m)
		c.says(discovery.Live, 10, nil)
		shared(t, m)
		c.says(discovery.Live, 0, nil)
		for n := range 10 {
			time.Sleep(800 * time.Millisecond)
			synctest.Wait()
			if got := sharedNow(t, m); got.Share > 10.1 || got.Clients != 10 || got.Absent != 9-max(0, n-1) {
				t.Fatalf("%d of ten are back: %+v", n, got)
			}
			c.says(discovery.Live, n+1, nil)
		}
		if got := shared(t, m); !near(got.Share, 10) || got.Absent != 0 {
			t.Errorf("all are back: %+v", got)
		}
	})
}

func TestWhatIsWantedIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.Put(sharing(100))
		m := newMesh(t, c)
		knowing(t, m)
		settled()
		if reports, watchers := c.reported(); len(reports) != 1 || reports[0] == nil || len(reports[0]) != 0 || watchers != 1 {
			t.Fatalf("reported at once: %v, watched by %d, want an empty demand and 1", reports, watchers)
		}
		c.says(discovery.Live, 2, nil)
		call := func(seconds, perSecond int) {
			for range seconds * perSecond {
				m.Do(t.Context(), get(), c.Door(m)) // whether or not it is let through
				time.Sleep(time.Second / time.Duration(perSecond))
			}
		}
		call(30, 400)
		reports, _ := c.reported()
		if got := reports[len(reports)-1]["all"]; got < 320 || got > 480 {
			t.Errorf("shown is a demand of %v calls per second, want some 400", got)
		}
		before := len(reports)
		call(60, 400)
		if reports, _ = c.reported(); len(reports) != before {
			t.Errorf("%d reports of a demand that is steady", len(reports)-before)
		}
		call(30, 100)
		reports, _ = c.reported()
		if got := reports[len(reports)-1]["all"]; got < 80 || got > 120 {
			t.Errorf("shown is a demand of %v calls per second, want some 100", got)
		}
		if n := len(reports) - before; n > 6 {
			t.Errorf("%d reports within half a minute, want at most one in 5 s", n)
		}
	})
}

func TestSharingEndsWithTheLastLimitThatIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.says(discovery.Live, 4, nil)
		m := newMesh(t, c)
		knowing(t, m)
		settled()
		if reports, watchers := c.reported(); len(reports) != 0 || watchers != 0 {
			t.Errorf("without such a limit %v was reported and %d watch", reports, watchers)
		}
		for range 2 {
			c.Put(sharing(100))
			if got := shared(t, m); !near(got.Share, 25) {
				t.Errorf("%+v", got)
			}
			c.Put(sharing(0))
			settled()
			reports, watchers := c.reported()
			if last := reports[len(reports)-1]; last != nil || watchers != 0 {
				t.Errorf("after the last limit %v was reported and %d watch", last, watchers)
			}
			if got := service(t, m).SharedLimits; len(got) != 0 {
				t.Errorf("still shared: %+v", got)
			}
			time.Sleep(time.Minute)
			if late, _ := c.reported(); len(late) != len(reports) {
				t.Errorf("reported after the end: %v", late[len(reports):])
			}
		}
		c.Put(sharing(100))
		settled()
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if reports, watchers := c.reported(); reports[len(reports)-1] != nil || watchers != 0 {
			t.Errorf("after the end of the mesh %v is reported last and %d watch", reports[len(reports)-1], watchers)
		}
	})
}

func TestSharedLimitsShowInMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, meters := newCrowd(), new(meters)
		c.Put(sharing(100))
		c.says(discovery.Live, 4, nil)
		m := newMesh(t, c, transport.WithMeterProvider(meters))
		knowing(t, m)
		shared(t, m)
		got := meters.collect(t).values
		if share := got["fairlead.limit.share limit=all service=orders state=live"]; !near(share, 25) {
			t.Errorf("the share is %v, want 25", share)
		}
		if n := got["fairlead.limit.sharing limit=all service=orders"]; n != 4 {
			t.Errorf("it is divided among %v, want 4", n)
		}
	})
}

// A registry that does not tell who calls leaves each process all there is.
func TestWithoutARegistryThatTellsWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		g.Put(sharing(100))
		log := new(logged)
		m := newMesh(t, g, log.option())
		knowing(t, m)
		if got := shared(t, m); !near(got.Share, 100) || got.State != "alone" || got.Clients != 1 {
			t.Errorf("%+v, want all there is", got)
		}
		g.Put(sharing(50))
		if got := shared(t, m); !near(got.Share, 50) {
			t.Errorf("%+v, want all there is", got)
		}
		unheeded := service(t, m).Rules.Unheeded
		if len(unheeded) != 1 || !strings.HasPrefix(unheeded[0], "limits: shared") || log.lines("limits: shared") != 1 {
			t.Errorf("unheeded is %q, and that is logged %d times, want once", unheeded, log.lines("limits: shared"))
		}
	})
}

// Where instances come from elsewhere, whoever has the rules may tell who calls.
func TestASourceOfRulesMayTellWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.Put(sharing(100))
		c.says(discovery.Live, 4, nil)
		m := newMesh(t, orders("a"), transport.WithRules(c))
		knowing(t, m)
		if got := shared(t, m); !near(got.Share, 25) || len(service(t, m).Rules.Unheeded) != 0 {
			t.Errorf("%+v, want a part among four", got)
		}
	})
}

// A process that starts while the registry is down takes the part of one more than
// there were.
func TestClientsOnDisk(t *testing.T) {
	for _, row := range []struct {
		name  string
		lived func(*crowd) // what the first process heard
		share float64
	}{
		{"nothing was ever heard", func(*crowd) {}, 120},
		{"five", func(c *crowd) { c.says(discovery.Live, 5, nil) }, 20},
		{"five, and then nothing", func(c *crowd) {
			c.says(discovery.Live, 5, nil)
			settled()
			c.says(discovery.Stale, 5, errDown)
		}, 20},
		{"two of five", func(c *crowd) {
			c.says(discovery.Live, 5, nil)
			settled()
			c.says(discovery.Live, 2, nil)
			time.Sleep(time.Minute)
		}, 40},
		{"two of five just now", func(c *crowd) {
			c.says(discovery.Live, 5, nil)
			settled()
			c.says(discovery.Live, 2, nil)
		}, 20},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := newDisk(t), newCrowd()
				c.Put(sharing(120))
				earlier := newMesh(t, c, d.option())
				knowing(t, earlier)
				settled()
				row.lived(c)
				settled()
				if err := earlier.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.says(discovery.Cold, 0, errDown)
				m := newMesh(t, c, d.option())
				knowing(t, m)
				got := shared(t, m)
				if !near(got.Share, row.share) || got.State != "alone" || !near(float64(got.Clients), 120/row.share) {
					t.Errorf("%+v, want a share of %v, alone", got, row.share)
				}
				c.says(discovery.Live, 3, nil)
				if got := shared(t, m); !near(got.Share, 40) || got.State != "live" {
					t.Errorf("once the registry is heard: %+v", got)
				}
			})
		})
	}
}

func TestTheNumberOfClientsIsSavedOnceInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := newDisk(t), newCrowd()
		c.Put(sharing(100))
		m := newMesh(t, c, d.option())
		knowing(t, m)
		saves, last := 0, os.FileInfo(nil)
		look := func() {
			info, err := os.Stat(filepath.Join(string(d.SnapshotDir), "orders.clients"))
			if err == nil && (last == nil || !os.SameFile(info, last)) {
				saves, last = saves+1, info
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}
		for n := range 200 {
			c.says(discovery.Live, 2+n, nil)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			look()
		}
		if saves < 3 || saves > 5 {
			t.Errorf("%d saves in 20 s of changes, want one in 5 s", saves)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		look()
		if saved, err := d.LoadClients("orders"); err != nil || saved.Number != 201 {
			t.Errorf("saved is %+v, %v, want the last", saved, err)
		}
		before := saves
		for range 100 {
			time.Sleep(time.Second)
			synctest.Wait()
			look()
		}
		if saves != before {
			t.Errorf("%d saves of what is on disk", saves-before)
		}
	})
}

func TestAFileOfClientsThatCannotBeTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c, log := newDisk(t), newCrowd(), new(logged)
		if err := os.MkdirAll(string(d.SnapshotDir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(string(d.SnapshotDir), "orders.clients"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Put(sharing(100))
		m := newMesh(t, c, d.option(), log.option())
		knowing(t, m)
		if got := shared(t, m); !near(got.Share, 100) || log.lines("number of clients on disk cannot be used") != 1 {
			t.Errorf("%+v", got)
		}
	})
}
