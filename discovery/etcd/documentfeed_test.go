package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

func document(text string, revision int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(DefaultPrefix + "rules/orders"), Value: []byte(text), ModRevision: revision}
}

// told writes what readers would be given now.
func (f *documentFeed) told() string {
	r := f.report.Load()
	switch {
	case !r.known:
		return "nothing yet"
	case r.document.Text == nil:
		return fmt.Sprintf("none, live %t, %v", r.document.Live, r.err)
	}
	return fmt.Sprintf("%s@%d, live %t, %v", r.document.Text, r.document.Revision, r.document.Live, r.err)
}

// A store that was wiped says nothing of what it has forgotten.
func TestAForgottenDocumentHolds(t *testing.T) {
	f := newDocumentFeed("fairlead/v1/rules/orders", "orders", slog.New(slog.DiscardHandler))
	f.replace([]*mvccpb.KeyValue{document("a", 105)}, 110)
	f.trouble(errDown)
	f.replace(nil, 1)
	if got, want := f.told(), "a@105, live false"; !strings.HasPrefix(got, want) || !strings.Contains(got, "lost the document") {
		t.Errorf("wiped: %s, want %s", got, want)
	}
	// Nor does it once it is heard again, or older than the document was.
	f.trouble(errDown)
	f.apply(nil, 3)
	f.replace(nil, 200)
	if got, want := f.told(), "a@105, live false"; !strings.HasPrefix(got, want) || !strings.Contains(got, "lost the document") {
		t.Errorf("heard again: %s, want %s", got, want)
	}
	f.apply([]*mvccpb.Event{{Kv: document("b", 7)}}, 7)
	if got, want := f.told(), "b@7, live true, <nil>"; got != want {
		t.Errorf("written again: %s, want %s", got, want)
	}
	f.replace(nil, 9) // and deleted while nobody looked
	if got, want := f.told(), "none, live true, <nil>"; got != want {
		t.Errorf("deleted: %s, want %s", got, want)
	}
}

func TestDocumentFeed(t *testing.T) {
	var log bytes.Buffer
	f := newDocumentFeed("fairlead/v1/rules/orders", "orders", slog.New(slog.NewTextHandler(&log, nil)))
	want := func(when, want string) {
		t.Helper()
		if got := f.told(); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	news := func(when string, do func()) {
		t.Helper()
		before := f.report.Load()
		do()
		select {
		case <-before.outdated:
		default:
			t.Errorf("%s: nobody is told", when)
		}
	}
	want("at first", "nothing yet")
	news("listed", func() { f.replace(nil, 3) })
	want("listed", "none, live true, <nil>")
	news("written", func() {
		f.apply([]*mvccpb.Event{{Kv: document("a", 4)}, {Kv: document("b", 5)}}, 5)
	})
	want("written", "b@5, live true, <nil>")

	handed := f.report.Load()
	f.apply(nil, 5)
	f.replace([]*mvccpb.KeyValue{document("b", 5)}, 9)
	if f.report.Load() != handed {
		t.Error("readers are told of what they know")
	}
	news("down", func() { f.trouble(errDown) })
	want("down", "b@5, live false, discovery/etcd: fairlead/v1/rules/orders: down")
	handed = f.report.Load()
	f.trouble(errors.New("down in another way"))
	if f.report.Load() != handed || strings.Count(log.String(), "document cannot be kept up to date") != 1 {
		t.Errorf("trouble is told twice: %s", log.String())
	}
	news("forbidden", func() { f.trouble(discovery.ErrUnauthorized) })
	if !errors.Is(f.report.Load().err, discovery.ErrUnauthorized) {
		t.Errorf("forbidden: %s", f.told())
	}
	news("back", func() { f.apply(nil, 9) })
	want("back", "b@5, live true, <nil>")
	news("emptied", func() { f.apply([]*mvccpb.Event{{Kv: &mvccpb.KeyValue{ModRevision: 10}}}, 10) })
	want("emptied", "@10, live true, <nil>")
	news("deleted", func() {
		f.apply([]*mvccpb.Event{{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{ModRevision: 11}}}, 11)
	})
	want("deleted", "none, live true, <nil>")
}
