package etcd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// model is what readers ought to see of the store, worked out naively.
func model(f *fake) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	byAddr := map[string]*mvccpb.KeyValue{}
	words := map[string]Override{}
	instances := map[string]discovery.Instance{}
	for key, kv := range f.keys {
		if id, ok := lastSegment(DefaultPrefix+"overrides/orders/", key); ok {
			if o, err := decodeOverride(kv); err == nil {
				words[id] = o
			}
		}
		id, ok := lastSegment(DefaultPrefix+"instances/orders/", key)
		if !ok {
			continue
		}
		i, _, err := decode("orders", id, kv)
		if err != nil {
			continue
		}
		instances[key] = i
		other := byAddr[i.Addr]
		if other == nil || cmp.Or(cmp.Compare(kv.CreateRevision, other.CreateRevision), bytes.Compare(kv.Key, other.Key)) > 0 {
			byAddr[i.Addr] = kv
		}
	}
	var all []string
	for _, kv := range byAddr {
		i := instances[string(kv.Key)]
		o := words[i.ID]
		all = append(all, describe(i.ID, i.Addr, cmp.Or(o.Weight, i.Weight), i.Draining || o.Drain))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func describe(id, addr string, weight int, draining bool) string {
	return fmt.Sprintf("%s@%s:%d:%t", id, addr, weight, draining)
}

// FuzzCacheEvents lets everything happen to a store and to the ways to it:
// writes, deletions, compaction, a wiped store, broken connections, events that
// are told twice or in the wrong order. In the end readers see what stands in
// the store, and at no time a snapshot that is not sorted.
func FuzzCacheEvents(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte{0, 16, 32, 7, 48, 64, 5, 80, 8, 0, 1, 4})
	f.Add([]byte{9, 0, 0, 16, 10, 1, 17, 6, 0, 0, 16, 7, 2, 18, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { fuzzCache(t, script[:min(len(script), 60)]) })
	})
}

func fuzzCache(t *testing.T, script []byte) {
	store := newFake()
	store.put(DefaultPrefix+"epoch", "one", 0)
	config := Config{Client: clientv3.Config{Endpoints: []string{"fake:2379"}}, Logger: slog.New(slog.DiscardHandler)}
	link := newLink(store.conn(config.Logger), DefaultPrefix+"epoch", config.Logger)
	feed := newFeed(keys{prefix: DefaultPrefix}, "orders", DefaultMaxInstances, config.Logger, link.lastHeard)
	ctx, cancel := context.WithCancel(t.Context())
	feed.stop = cancel
	for _, w := range []*listWatch{
		{keys: below(DefaultPrefix + "instances/orders/"), link: link, sink: feed},
		{keys: below(DefaultPrefix + "overrides/orders/"), link: link, sink: overrideSink{feed}},
	} {
		feed.running.Go(func() { w.run(ctx) })
	}
	feed.running.Go(func() {
		for version := uint64(0); ctx.Err() == nil; {
			latest := feed.latest()
			if latest.version < version || !slices.IsSortedFunc(latest.snapshot.Instances, func(a, b *discovery.Instance) int { return strings.Compare(a.ID, b.ID) }) {
				t.Errorf("version %d after %d, instances %v", latest.version, version, latest.snapshot.Instances)
			}
			version = latest.version
			select {
			case <-latest.outdated:
			case <-ctx.Done():
			}
		}
	})
	var session *session
	disconnect := func() {
		link.over(errDisconnected)
		if session != nil {
			session.end(errDisconnected)
			session = nil
		}
	}
	connect := func() {
		disconnect()
		client, watch, _ := store.dial(clientv3.Config{})
		session = newSession(context.Background(), client, watch)
		h, err := readHistory(t.Context(), client, DefaultPrefix+"epoch")
		if err != nil {
			t.Fatal(err)
		}
		session.history = h
		link.begin(session)
	}
	connect()
	epochs := 0
	for _, b := range script {
		n := int(b >> 4)
		key := fmt.Sprintf("%sinstances/orders/i%d", DefaultPrefix, n%8)
		switch b & 15 {
		case 0, 1, 2:
			store.put(key, fmt.Sprintf(`{"Addr":"10.0.0.%d:80","Metadata":{"id":"i%d","weight":%d}}`, 1+n%3+int(b&15), n%8, 1+n), 1)
		case 3:
			store.delete(key)
		case 4:
			store.put(key, `{"Addr":`, 1)
		case 5:
			store.compact()
		case 6:
			disconnect()
		case 7:
			connect()
		case 8: // wiped; the connection of everybody breaks
			disconnect()
			store.mu.Lock()
			clear(store.keys)
			store.events, store.revision, store.compacted = nil, int64(1+n), 0
			store.mu.Unlock()
			epochs++
			store.put(DefaultPrefix+"epoch", fmt.Sprint("epoch ", epochs), 0)
			connect()
		case 9:
			store.setGarble(func(all []*mvccpb.Event) []*mvccpb.Event { return append(all, all[0]) })
		case 10:
			store.setGarble(func(all []*mvccpb.Event) []*mvccpb.Event { slices.Reverse(all); return all })
		case 11:
			store.setGarble(nil)
		case 12:
			store.put(fmt.Sprintf("%soverrides/orders/i%d", DefaultPrefix, n%8), fmt.Sprintf(`{"state":"drain","weight":%d}`, n), 0)
		case 13:
			store.delete(fmt.Sprintf("%soverrides/orders/i%d", DefaultPrefix, n%8))
		case 14:
			store.intercepting(only(refuse, "watch"))
		case 15:
			store.intercepting(only(func(context.Context, call) error { return rpctypes.ErrGRPCCompacted }, "list"))
		}
		if b&15 < 6 && n%2 == 0 {
			continue // several in one go
		}
		time.Sleep(time.Duration(n) * 300 * time.Millisecond)
	}
	store.setGarble(nil)
	store.intercepting(nil)
	connect()
	time.Sleep(20 * time.Second)
	synctest.Wait()

	latest := feed.latest()
	var all []string
	for _, i := range latest.snapshot.Instances {
		all = append(all, describe(i.ID, i.Addr, i.Weight, i.Draining))
	}
	slices.Sort(all)
	if got, want := strings.Join(all, " "), model(store); got != want || latest.snapshot.State != discovery.Live {
		t.Errorf("readers see, %s, %q; the store holds %q", latest.snapshot.State, got, want)
	}
	disconnect()
	feed.end(nil)
}

// FuzzRegistrarEvents lets everything happen to registrations, their lease and
// the answers of etcd. What is open is announced in the end, once; what was
// closed never is again.
func FuzzRegistrarEvents(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 0, 3, 11, 5, 1, 7, 0, 9, 1, 8})
	f.Add([]byte{0, 4, 1, 5, 0, 6, 7, 10, 7, 2, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { fuzzRegistrar(t, script[:min(len(script), 60)]) })
	})
}

func fuzzRegistrar(t *testing.T, script []byte) {
	store := newFake()
	s := store.supervisor(t)
	s.log = slog.New(slog.DiscardHandler)
	open := map[string]*registration{}
	for _, b := range script {
		n := int(b >> 4)
		id := fmt.Sprintf("i%d", n%4)
		key := s.keys.instance("orders", id)
		switch b & 15 {
		case 0, 1:
			r, err := s.add(discovery.Instance{Service: "orders", ID: id, Addr: fmt.Sprintf("10.0.0.%d:80", n)})
			if taken := open[id] != nil; (err != nil) != taken || err != nil && !errors.Is(err, discovery.ErrInvalid) {
				t.Fatalf("add %s, taken %t: %v", id, taken, err)
			}
			if err == nil {
				open[id] = r
			}
		case 2, 3:
			if r := open[id]; r != nil {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				r.Close(ctx) // fails while etcd does not answer
				cancel()
				delete(open, id)
			}
		case 4:
			if r := open[id]; r != nil {
				changed := r.Instance()
				changed.Weight = 1 + n
				if err := r.Update(changed); err != nil {
					t.Fatal(err)
				}
			}
		case 5:
			store.revokeAll()
		case 6:
			store.delete(key)
		case 7:
			store.put(key, "{}", 0)
		case 8:
			store.intercepting(hang)
		case 9:
			store.intercepting(refuse)
		case 10: // the call is made, its answer is lost
			store.intercepting(func(ctx context.Context, c call) error {
				if c.op == "put" {
					store.mu.Lock()
					store.late = true
					store.mu.Unlock()
				}
				return nil
			})
		case 11:
			store.intercepting(nil)
		case 12:
			store.intercepting(func(context.Context, call) error { return rpctypes.ErrGRPCNoSpace })
		case 13:
			s.mu.Lock()
			s.awake = s.awake.Add(-time.Minute)
			s.mu.Unlock()
		}
		time.Sleep(time.Duration(n) * 400 * time.Millisecond)
	}
	store.intercepting(nil)
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	holds := func() (ids []string) {
		store.mu.Lock()
		defer store.mu.Unlock()
		store.expireLocked()
		for key, kv := range store.keys {
			id, ok := lastSegment(s.keys.service("orders"), key)
			if ok && kv.Lease != 0 {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return ids
	}
	var want []string
	for id, r := range open {
		want = append(want, id)
		if st := r.State(); !st.Registered {
			t.Errorf("%s: %+v", id, st)
		}
	}
	slices.Sort(want)
	if got := holds(); !slices.Equal(got, want) {
		t.Errorf("etcd holds %v, open are %v", got, want)
	}
	closing(t, s)
	for range 60 {
		if got := holds(); len(got) != 0 {
			t.Fatalf("after Close etcd holds %v", got)
		}
		time.Sleep(time.Minute)
	}
}
