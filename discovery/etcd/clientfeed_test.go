package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// told writes what a reader is given that has read up to a version.
func (f *clientFeed) told(version *uint64) string {
	c, now, last, _, err := f.read(*version)
	if now == *version {
		return "nothing new"
	}
	*version = now
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%d", c.State, c.Revision)
	for _, one := range c.Clients {
		fmt.Fprintf(&b, " %s%v", one.ID, one.Demand["x"])
	}
	if err != nil {
		b.WriteString(": " + err.Error())
	}
	if last {
		b.WriteString(", the last")
	}
	return b.String()
}

func TestClientFeed(t *testing.T) {
	var log bytes.Buffer
	asked := time.Now().Add(time.Hour)
	f := newClientFeed(keys{prefix: DefaultPrefix}, "users", "self", slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return asked })
	f.stop = func() {}
	var version uint64
	want := func(when, want string) {
		t.Helper()
		if got := f.told(&version); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	wants := func(id string, x int, created, modified int64) *mvccpb.Event {
		return &mvccpb.Event{Kv: clientKey(id, fmt.Sprintf(`{"demand":{"x":%d}}`, x), created, modified)}
	}
	want("at first", "nothing new")
	f.trouble(errDown)
	want("down from the start", "cold@0: discovery/etcd: clients of users: down")
	f.trouble(errors.New("down in another way"))
	want("down in another way", "nothing new")
	f.replace([]*mvccpb.KeyValue{wants("b", 2, 1, 1).Kv, wants("a", 1, 2, 2).Kv}, 3)
	want("listed", "live@3 a1 b2")
	f.apply([]*mvccpb.Event{wants("c", 3, 4, 4), wants("a", 7, 2, 5)}, 5)
	want("changed", "live@5 a7 b2 c3")
	f.apply([]*mvccpb.Event{{Kv: clientKey("a", `{"demand":{"x":7},"rules":{"applied":9}}`, 2, 6)}}, 6)
	want("changed in what is of no interest", "nothing new")
	f.apply(nil, 6)
	want("nothing happened", "nothing new")

	f.trouble(errDown)
	want("down", "stale@6 a7 b2 c3: discovery/etcd: clients of users: down")
	if c, _, _, _, _ := f.read(0); !c.AsOf.Equal(asked) {
		t.Errorf("stale as of %v, want %v, when etcd was last heard", c.AsOf, asked)
	}
	f.trouble(discovery.ErrUnauthorized)
	if got := f.told(&version); !strings.HasPrefix(got, "stale@6 a7 b2 c3") || !strings.Contains(got, discovery.ErrUnauthorized.Error()) {
		t.Errorf("forbidden: %s", got)
	}
	f.apply(nil, 6)
	want("back, and nothing happened", "live@6 a7 b2 c3")
	f.trouble(errDown)
	f.replace([]*mvccpb.KeyValue{wants("b", 2, 1, 1).Kv}, 20)
	want("back after a compaction", "live@20 b2")
	f.end(discovery.ErrClosed)
	want("closed", "stale@20 b2: "+discovery.ErrClosed.Error()+", the last")
	if n := strings.Count(log.String(), "client list cannot be kept up to date"); n != 4 {
		t.Errorf("trouble is logged %d times, want once for each time it began or changed:\n%s", n, log.String())
	}
}

// A handler of the log may ask the registry how it is.
func TestClientFeedLogsUnderNoLock(t *testing.T) {
	var f *clientFeed
	handler := asking{slog.DiscardHandler, func() { f.read(0) }}
	f = newClientFeed(keys{prefix: DefaultPrefix}, "users", "self", slog.New(handler), time.Now)
	f.clients.most = 1
	f.replace([]*mvccpb.KeyValue{clientKey("a", "bad", 1, 1), clientKey("b", "{}", 1, 1)}, 1)
	f.trouble(errDown)
}

// asking is a handler of a log that asks something with each line.
type asking struct {
	slog.Handler
	ask func()
}

func (a asking) Enabled(context.Context, slog.Level) bool { return true }
func (a asking) Handle(context.Context, slog.Record) error {
	a.ask()
	return nil
}
func (a asking) WithAttrs([]slog.Attr) slog.Handler { return a }
func (a asking) WithGroup(string) slog.Handler      { return a }
