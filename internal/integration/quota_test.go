package integration_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/rule"
)

const (
	sharing   = 10    // processes
	number    = 200.0 // calls per second of all together
	overMuch  = 3     // times as many they want
	tolerance = 0.1   // of the number
)

// wants is what the nth process wants: one unit, two units, up to ten.
func wants(n int) float64 {
	const units = sharing * (sharing + 1) / 2
	return float64(n+1) * number * overMuch / units
}

// putLimit puts a shared limit in force for orders.
func putLimit(t *testing.T, store *clientv3.Client) {
	t.Helper()
	p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Limits:  []rule.RateLimit{{Name: "all", Rate: rule.Rate{Calls: number, Within: time.Second}, Scope: "shared"}},
	}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), prefix(t)+"rules/orders", string(text)); err != nil {
		t.Fatal(err)
	}
}

// writes takes down when the keys of clients are written.
type writes struct {
	mu sync.Mutex // guards what follows
	at map[string][]time.Time
}

func countWrites(t *testing.T, store *clientv3.Client) *writes {
	w := &writes{at: map[string][]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for r := range store.Watch(ctx, prefix(t)+"clients/orders/", clientv3.WithPrefix()) {
			w.mu.Lock()
			for _, e := range r.Events {
				if e.Type == clientv3.EventTypePut {
					w.at[string(e.Kv.Key)] = append(w.at[string(e.Kv.Key)], time.Now())
				}
			}
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// since counts the writes from a time on.
func (w *writes) since(from time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.at {
		for _, at := range times {
			if at.After(from) {
				n++
			}
		}
	}
	return n
}

// most is how often the key of one client was written within 5 s, at most.
func (w *writes) most() (most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.at {
		for n, at := range times {
			within := 1
			for _, other := range times[n+1:] {
				if other.Sub(at) < 4*time.Second { // they were sent further apart than they arrived
					within++
				}
			}
			most = max(most, within)
		}
	}
	return most
}

// Ten processes that want very different parts of three times a number get that
// number together; without etcd they go on so, and nobody takes more; one that dies
// leaves its part to the others; and one that starts without etcd takes what one
// more than there were would have.
func TestManyProcessesShareALimit(t *testing.T) {
	if race {
		t.Skip("it measures; what runs in its processes is raced elsewhere")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	store := server.Client(t)
	putLimit(t, store)
	register(t, open(t, config(t, server.Endpoint())), "orders", "a", "10.0.0.1:80")
	written := countWrites(t, store)
	s := &sharers{T: t, task: sharerTask{Endpoint: server.Endpoint(), Prefix: prefix(t), Snapshots: t.TempDir()}}
	for n := range sharing {
		s.start(wants(n))
	}
	during(t, 10*time.Second)
	steady := time.Now()
	if got := s.rate("all together", 10*time.Second); got < number*(1-tolerance) || got > number*(1+tolerance) {
		t.Errorf("%.1f calls per second, want %v, give or take a tenth", got, number)
	}
	if n := written.since(steady); n > sharing {
		t.Errorf("%d writes in 10 s of steady demand, want none, or a few where this machine stumbles", n)
	}
	t.Logf("%d writes in 10 s of steady demand", written.since(steady))
	if n := written.most(); n > 1 {
		t.Errorf("a client wrote its key %d times in 5 s, want at most once", n)
	}

	server.Kill()
	if got := s.rate("without etcd", 10*time.Second); got > number*1.05 || got < number*(1-tolerance) {
		t.Errorf("%.1f calls per second, want %v at most, and not much less", got, number)
	}
	for _, p := range s.all {
		if l := s.limit(p); l.State != discovery.Stale.String() || l.Clients != sharing || l.Trouble == "" {
			t.Errorf("without etcd: %+v, want a stale share among ten", l)
		}
	}
	late := s.start(2 * number)
	if l := s.limit(late); l.State != "alone" || l.Clients != sharing+1 || l.Share > number/(sharing+1)*1.01 || l.Share < number/(sharing+1)*0.99 {
		t.Errorf("one that starts without etcd: %+v, want the part of one of eleven", l)
	}
	if got := s.rate("with one more", 5*time.Second); got > number*1.05+number/(sharing+1) {
		t.Errorf("%.1f calls per second with one more, want at most %v and the part of one of eleven", got, number)
	}

	server.Restart(t)
	for _, p := range s.all {
		eventually(t, "the process knows the others again", func() bool {
			l := s.limit(p)
			return l.State == discovery.Live.String() && l.Clients == sharing+1 && l.Absent == 0
		})
	}
	during(t, 10*time.Second)
	if got := s.rate("with etcd again", 5*time.Second); got < number*(1-tolerance) || got > number*(1+tolerance) {
		t.Errorf("%.1f calls per second, want %v, give or take a tenth", got, number)
	}
	s.kill(late)
	killed := time.Now()
	for _, p := range s.all {
		eventually(t, "the process reckons with who is left", func() bool { return s.limit(p).Clients == sharing })
	}
	t.Logf("a process that was killed is no longer reckoned with after %v", time.Since(killed))
	during(t, 5*time.Second)
	if got := s.rate("after one was killed", 5*time.Second); got < number*(1-tolerance) || got > number*(1+tolerance) {
		t.Errorf("%.1f calls per second of those who are left, want %v, give or take a tenth", got, number)
	}
}
