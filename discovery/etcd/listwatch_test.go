package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// notes is a sink that keeps what it is told.
type notes struct {
	mu       sync.Mutex // guards all below
	keys     map[string]string
	revision int64
	lists    int
	applies  int
	troubles []error
	down     bool
}

func (n *notes) replace(all []*mvccpb.KeyValue, revision int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys = map[string]string{}
	for _, kv := range all {
		n.keys[string(kv.Key)] = string(kv.Value)
	}
	n.revision, n.down = revision, false
	n.lists++
}

func (n *notes) apply(events []*mvccpb.Event, revision int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range events {
		if e.Type == mvccpb.Event_DELETE {
			delete(n.keys, string(e.Kv.Key))
		} else {
			n.keys[string(e.Kv.Key)] = string(e.Kv.Value)
		}
	}
	n.revision, n.down = revision, false
	n.applies++
}

func (n *notes) trouble(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles, n.down = append(n.troubles, err), true
}

func (n *notes) told() (lists int, troubles []error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lists, slices.Clone(n.troubles)
}

// String is what is known: the keys without the prefix, in order.
func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, key := range slices.Sorted(maps.Keys(n.keys)) {
		all = append(all, strings.TrimPrefix(key, "p/")+"="+n.keys[key])
	}
	if n.down {
		all = append(all, "(down)")
	}
	return strings.Join(all, " ")
}

// scene is a listWatch over a fake whose connection the test makes and breaks.
type scene struct {
	*fake
	*notes
	*listWatch
	link    *link
	session *session // the latest
}

// listWatching runs a listWatch of the keys below p/ until the test ends. The
// store has an epoch. There is no connection yet.
func listWatching(t *testing.T) *scene {
	s := &scene{fake: newFake(), notes: &notes{}, link: newLink(conn{}, "meta/epoch", slog.New(slog.DiscardHandler))}
	s.put("meta/epoch", "one", 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	s.listWatch = &listWatch{keys: below("p/"), link: s.link, sink: s.notes}
	go func() {
		defer close(done)
		s.listWatch.run(ctx)
	}()
	return s
}

func (s *scene) connect() {
	client, watch, _ := s.dial(clientv3.Config{})
	s.session = newSession(context.Background(), client, watch)
	s.fake.mu.Lock()
	s.session.history.revision = s.fake.revision
	if kv := s.fake.keys["meta/epoch"]; kv != nil {
		s.session.history.epoch = fmt.Sprintf("%s@%d", kv.Value, kv.CreateRevision)
	}
	s.fake.mu.Unlock()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.link.session, s.link.err = s.session, nil
	s.link.changed.tell()
}

func (s *scene) disconnect() {
	s.link.mu.Lock()
	s.link.session, s.link.err = nil, errDisconnected
	s.link.changed.tell()
	s.link.mu.Unlock()
	s.session.end(errDisconnected)
	synctest.Wait()
}

// settle lets everything happen that is to happen soon.
func settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

func (s *scene) want(t *testing.T, want string) {
	t.Helper()
	if got := s.notes.String(); got != want {
		t.Errorf("the sink knows %q, want %q", got, want)
	}
}

func TestListThenEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := listWatching(t)
		s.put("p/a", "1", 0)
		s.put("other/x", "1", 0)
		s.connect()
		settle()
		s.want(t, "a=1")
		s.put("p/b", "1", 0)
		s.put("p/a", "2", 0)
		s.put("other/x", "2", 0)
		settle()
		s.want(t, "a=2 b=1")
		s.delete("p/a")
		settle()
		s.want(t, "b=1")
		if lists, troubles := s.told(); lists != 1 || len(troubles) != 0 {
			t.Errorf("%d lists and troubles %v, want one list and none", lists, troubles)
		}
	})
}

// Trap 8: what happens between the list and the watch is lost.
func TestTrap8WatchBeginsRightAfterTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := listWatching(t)
		s.put("p/a", "1", 0)
		s.intercepting(func(_ context.Context, c call) error {
			if c.op == "watch" { // the list was read, the watch does not stand yet
				s.put("p/between", "1", 0)
				s.delete("p/a")
			}
			return nil
		})
		s.connect()
		settle()
		s.want(t, "between=1")
	})
}

func TestPagesAreOfOneRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := listWatching(t)
		for n := range 2*pageSize + 1 {
			s.put(fmt.Sprintf("p/%04d", n), "1", 0)
		}
		var pages []call
		var first string
		s.intercepting(func(_ context.Context, c call) error {
			switch c.op {
			case "list":
				pages = append(pages, c)
				if len(pages) == 2 {
					s.delete("p/0000")
					s.put("p/9999", "1", 0)
				}
			case "watch":
				if first == "" {
					first = s.notes.String()
				}
			}
			return nil
		})
		s.connect()
		settle()
		if len(pages) != 3 || pages[0].revision != 0 || pages[1].revision == 0 || pages[1].revision != pages[2].revision {
			t.Errorf("pages %+v, want three, the later ones at the revision of the first", pages)
		}
		if !strings.HasPrefix(first, "0000=1 ") || strings.Contains(first, "9999") {
			t.Errorf("the list mixes revisions: %.40s…", first)
		}
		if got := s.notes.String(); strings.HasPrefix(got, "0000=1 ") || !strings.Contains(got, "9999=1") {
			t.Errorf("the watch does not follow on the list: %.40s…", got)
		}
	})
}

// Trap 10: a watch that ends is the end of all knowledge, or a tight loop.
func TestTrap10EveryEndOfAWatchLeadsToAnother(t *testing.T) {
	for _, c := range []struct {
		name     string
		end      func(*scene) func(context.Context, call) error
		troubles bool
	}{
		{"Compacted", func(s *scene) func(context.Context, call) error {
			return func(_ context.Context, c call) error {
				if c.op == "watch" {
					s.put("other/x", "1", 0)
					s.put("other/x", "2", 0)
					s.compact()
				}
				return nil
			}
		}, false},
		{"ClosedWithoutAWord", func(*scene) func(context.Context, call) error { return only(refuse, "watch") }, true},
		{"PageCompacted", func(*scene) func(context.Context, call) error { return only(refuse, "list") }, true},
		{"NoAnswer", func(*scene) func(context.Context, call) error { return only(hang, "list") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := listWatching(t)
				s.put("p/a", "1", 0)
				s.connect()
				settle()
				// From now on no watch lives.
				s.intercepting(c.end(s))
				s.disconnect()
				s.put("other/y", "1", 0) // so that a list is needed
				s.connect()
				before := len(s.fake.seen())
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := len(s.fake.seen()) - before; n < 10 || n > 200 {
					t.Errorf("%d calls in a minute in which every try failed: it gave up or it rushes", n)
				}
				if _, troubles := s.told(); c.troubles != (len(troubles) > 1) { // the first is the disconnection
					t.Errorf("troubles %v, want more than the disconnection: %t", troubles, c.troubles)
				}
				s.delete("p/a")
				s.put("p/b", "1", 0)
				s.intercepting(nil)
				settle()
				s.want(t, "b=1")
			})
		})
	}
}

func TestReconnection(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(s *scene)
		lists     int
		want      string
	}{
		{"NothingWritten", func(*scene) {}, 1, "a=1"},
		{"SomethingWritten", func(s *scene) { s.put("p/b", "1", 0) }, 2, "a=1 b=1"},
		{"SomethingDeletedAndCompacted", func(s *scene) { s.delete("p/a"); s.compact() }, 2, ""},
		{"OtherKeysWritten", func(s *scene) { s.put("other/x", "1", 0) }, 2, "a=1"},
		{"WipedAndExactlyAsFarAgain", func(s *scene) {
			s.fake.mu.Lock()
			defer s.fake.mu.Unlock()
			at := s.fake.revision
			clear(s.fake.keys)
			s.fake.events, s.fake.revision = nil, 2
			s.fake.putLocked("meta/epoch", "two", 0)
			s.fake.revision = at
			s.fake.putLocked("p/c", "1", 0)
		}, 2, "c=1"},
		{"NoEpochNoProof", func(s *scene) {
			s.fake.mu.Lock()
			defer s.fake.mu.Unlock()
			delete(s.fake.keys, "meta/epoch")
		}, 2, "a=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := listWatching(t)
				s.put("p/a", "1", 0)
				s.connect()
				settle()
				s.disconnect()
				s.want(t, "a=1 (down)")
				time.Sleep(time.Minute)
				c.meanwhile(s)
				s.connect()
				settle()
				s.want(t, c.want)
				if lists, _ := s.told(); lists != c.lists {
					t.Errorf("%d lists, want %d", lists, c.lists)
				}
				s.put("p/z", "1", 0)
				settle()
				s.want(t, strings.TrimSpace(c.want+" z=1"))
			})
		})
	}
}

func TestHealthyWatchIsRenewedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := listWatching(t)
		s.put("p/a", "1", 0)
		s.connect()
		settle()
		s.delete("meta/epoch") // so that nothing proves that the list is still right
		time.Sleep(time.Hour)
		synctest.Wait()
		lists, troubles := s.told()
		if lists < 10 || lists > 16 {
			t.Errorf("%d lists in an hour, want one in 4 to 6 min", lists)
		}
		if len(troubles) != 0 {
			t.Errorf("troubles %v, want none", troubles)
		}
	})
}

// A watch that has answered when it was asked and then does not is taken for
// dead, although its connection stands and etcd answers other calls.
func TestSilentWatchIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers bool // to the first two questions
		watches int
	}{
		{"AnsweredBefore", true, 2},
		{"NeverAnswers", false, 1}, // as through etcd's own proxy
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := listWatching(t)
				s.put("p/a", "1", 0)
				s.connect()
				settle()
				if c.answers {
					if err := s.session.watches.ask(); err != nil {
						t.Fatal(err)
					}
					settle()
				}
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				if n := len(s.fake.seen("watch")); n != c.watches {
					t.Errorf("%d watches after three silent minutes, want %d", n, c.watches)
				}
				s.put("p/b", "1", 0)
				settle()
				s.want(t, "a=1 b=1")
			})
		})
	}
}

// Fault row 51: what etcd refuses is asked again twice a minute, and shown.
func TestForbiddenListIsAskedForNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := listWatching(t)
		s.put("p/a", "1", 0)
		s.connect()
		settle()
		s.intercepting(only(func(context.Context, call) error { return rpctypes.ErrPermissionDenied }, "list"))
		s.disconnect()
		s.put("p/b", "1", 0)
		s.connect()
		before := len(s.fake.seen("list"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(s.fake.seen("list")) - before; n < 10 || n > 21 {
			t.Errorf("%d tries in ten minutes", n)
		}
		_, troubles := s.told()
		if last := troubles[len(troubles)-1]; !errors.Is(last, discovery.ErrUnauthorized) {
			t.Errorf("trouble %v, want ErrUnauthorized", last)
		}
		for s.listWatch.phase.Load() == listing { // it may be about to ask just now
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if got := phases[s.listWatch.phase.Load()]; got != "unauthorised" {
			t.Errorf("phase %s", got)
		}
		s.want(t, "a=1 (down)")
		s.intercepting(nil)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		s.want(t, "a=1 b=1")
	})
}

// A watch that catches up is given its events in portions, whose headers are
// already at the latest revision. The header is not how far it has come.
func TestHeaderAheadOfTheEventsIsNotBelieved(t *testing.T) {
	etcd := newScript()
	n := &notes{keys: map[string]string{}}
	w := &listWatch{keys: below("p/"), sink: n, seen: history{revision: 5}}
	ended := make(chan error)
	go func() { ended <- w.watch(t.Context(), etcd.watches(t.Context())) }()
	etcd.create(t, 0)
	etcd.say(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 99}, Events: []*mvccpb.Event{{Kv: &mvccpb.KeyValue{Key: []byte("p/a"), ModRevision: 7}}}})
	etcd.say(&pb.WatchResponse{Canceled: true})
	if err := <-ended; !errors.Is(err, errWatchEnded) {
		t.Errorf("watch: %v", err)
	}
	if w.seen.revision != 7 || n.revision != 7 {
		t.Errorf("listWatch is at revision %d, its sink at %d, want 7", w.seen.revision, n.revision)
	}
}

func TestHistory(t *testing.T) {
	for _, c := range []struct {
		name        string
		old, now    history
		contradicts bool
		unchanged   bool
	}{
		{"Same", history{revision: 5, epoch: "x@2"}, history{revision: 5, epoch: "x@2"}, false, true},
		{"Later", history{revision: 5, epoch: "x@2"}, history{revision: 6, epoch: "x@2"}, false, false},
		{"Rewound", history{revision: 5, epoch: "x@2"}, history{revision: 4, epoch: "x@2"}, true, false},
		{"OtherEpoch", history{revision: 5, epoch: "x@2"}, history{revision: 9, epoch: "y@2"}, true, false},
		{"EpochCreatedAnew", history{revision: 5, epoch: "x@2"}, history{revision: 9, epoch: "x@7"}, true, false},
		{"EpochGone", history{revision: 5, epoch: "x@2"}, history{revision: 5, epoch: ""}, true, false},
		{"EpochAppeared", history{revision: 5, epoch: ""}, history{revision: 6, epoch: "x@6"}, false, false},
		{"NeverAnEpoch", history{revision: 5, epoch: ""}, history{revision: 5, epoch: ""}, false, false},
		{"NotAllowedToRead", history{revision: 5, epoch: "x@2"}, history{denied: true}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.now.contradicts(c.old); got != c.contradicts {
				t.Errorf("contradicts = %t, want %t", got, c.contradicts)
			}
			if got := c.now.unchanged(c.old); got != c.unchanged {
				t.Errorf("unchanged = %t, want %t", got, c.unchanged)
			}
		})
	}
}
