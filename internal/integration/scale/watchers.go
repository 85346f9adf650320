package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/transport"
)

// watchersRole is a worker that holds many watchers of one service, each with
// an etcd client of its own, as if each were a process.
const watchersRole = "watchers"

// The variants that are compared everywhere.
const (
	bare     = "bare"     // etcd's client, and the least code that does it
	fairlead = "fairlead" // what a user of fairlead has
)

type watchersTask struct {
	Variant   string
	Endpoints []string
	Prefix    string
	Service   string
	Watchers  int
	Rules     bool // the changes are of the rules, not of an instance
}

// arrival is when a watcher saw a change.
type arrival struct {
	ID int64 // of the change: its revision, or the version of the instance
	At int64 // by the machine's clock, in ns; shared by all processes
}

// watcher is one of them.
type watcher struct {
	mu       sync.Mutex // guards all below
	arrivals []arrival
	last     int64
	news     chan struct{} // closed and replaced with every arrival
}

func (w *watcher) note(id int64) {
	now := time.Now().UnixNano()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals, w.last = append(w.arrivals, arrival{id, now}), id
	close(w.news)
	w.news = make(chan struct{})
}

// await waits for a change and returns what has arrived since it was last
// called.
func (w *watcher) await(ctx context.Context, id int64) ([]arrival, error) {
	for {
		w.mu.Lock()
		all, last, news := w.arrivals, w.last, w.news
		if last >= id {
			w.arrivals = nil
			w.mu.Unlock()
			return all, nil
		}
		w.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, fmt.Errorf("change %d has not arrived, the last is %d: %w", id, last, ctx.Err())
		}
	}
}

// serveWatchers is ready when all of them watch.
func serveWatchers(t watchersTask) (worker.Answers, error) {
	watch := map[string]func(context.Context, watchersTask, *watcher) error{bare: watchBare, fairlead: watchMesh}[t.Variant]
	if watch == nil {
		return nil, fmt.Errorf("there is no variant %q", t.Variant)
	}
	watchers := make([]*watcher, t.Watchers)
	begin := make([]func() error, t.Watchers)
	for n := range watchers {
		watchers[n] = &watcher{news: make(chan struct{}), last: -1}
		begin[n] = func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := watch(ctx, t, watchers[n]); err != nil {
				return err
			}
			_, err := watchers[n].await(ctx, 0)
			return err
		}
	}
	if err := atOnce(16, begin); err != nil {
		return nil, err
	}
	return worker.Answers{"arrivals": worker.To(func(id int64) (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		all := make([][]arrival, len(watchers))
		for n, w := range watchers {
			var err error
			if all[n], err = w.await(ctx, id); err != nil {
				return nil, err
			}
		}
		return all, nil
	})}, nil
}

// watchBare lists and watches, and looks at nothing. What begins here ends
// with the process.
func watchBare(ctx context.Context, t watchersTask, w *watcher) error {
	client, err := connect(t.Endpoints...)
	if err != nil {
		return err
	}
	prefix := (&writer{prefix: t.Prefix}).servicePrefix(t.Service)
	if t.Rules {
		prefix = (&writer{prefix: t.Prefix}).ruleKey(t.Service)
	}
	list, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	changes := client.Watch(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithRev(list.Header.Revision+1), clientv3.WithCreatedNotify())
	if r := <-changes; r.Err() != nil {
		return r.Err()
	}
	w.note(0)
	go func() {
		for r := range changes {
			for _, e := range r.Events {
				w.note(e.Kv.ModRevision)
			}
		}
	}()
	return nil
}

// watchMesh opens a mesh and looks at the first instance in each of its views,
// or for the rules in its log.
func watchMesh(_ context.Context, t watchersTask, w *watcher) error {
	logger := quiet()
	if t.Rules {
		logger = slog.New(ruleLog{w})
	}
	mesh, err := transport.Open(registryConfig(t.Endpoints, t.Prefix), transport.WithLogger(logger))
	if err != nil {
		return err
	}
	views, err := mesh.Views(context.Background(), t.Service)
	if err != nil {
		return err
	}
	if t.Rules { // the service is known now; nobody needs to look at its views
		return nil
	}
	go func() {
		last := int64(-1)
		for view := range views {
			if all := view.Snapshot.Instances; len(all) > 0 && versionOf(all[0]) != last {
				last = versionOf(all[0])
				w.note(last)
			}
		}
	}()
	return nil
}

// ruleLog is a logger's handler that takes note of the rules that are put in
// force: what a mesh does last with them is to log their revision.
type ruleLog struct{ watcher *watcher }

func (ruleLog) Enabled(_ context.Context, l slog.Level) bool { return l == slog.LevelInfo }
func (l ruleLog) WithAttrs([]slog.Attr) slog.Handler         { return l }
func (l ruleLog) WithGroup(string) slog.Handler              { return l }

func (l ruleLog) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "rules are in force") {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "revision" {
				l.watcher.note(a.Value.Int64())
			}
			return true
		})
	}
	return nil
}
