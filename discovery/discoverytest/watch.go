package discoverytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// watch is a running Registry.Watch and all that it has yielded.
type watch struct {
	*fixture
	service string
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the sequence has ended

	mu     sync.Mutex
	yields []yield       // guarded by mu
	news   chan struct{} // holds one token if there are yields that nobody looked at
}

type yield struct {
	discovery.Snapshot                    // copied when it came, down to the last map
	kept               discovery.Snapshot // as it was handed out
	err                error
	carries            func(discovery.Instance) discovery.Instance // of the harness
}

// watch starts to watch service until the end of the test.
func (f *fixture) watch(service string) *watch {
	return f.consume(service, func(discovery.Snapshot) bool { return true })
}

// consume is watch with a loop body. The loop is left when body returns false.
func (f *fixture) consume(service string, body func(discovery.Snapshot) bool) *watch {
	ctx, cancel := context.WithCancel(f.t.Context())
	w := &watch{fixture: f, service: service, cancel: cancel, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	sequence := f.Registry.Watch(ctx, service)
	go func() { // owned by w; its end is w.ended
		defer close(w.ended)
		// Not a range loop: that would panic if yield were called after the end.
		sequence(func(s discovery.Snapshot, err error) bool {
			w.record(s, err)
			return body(s)
		})
	}()
	f.t.Cleanup(func() {
		cancel()
		if !f.suite.deaf.Load() && !w.over() {
			f.suite.deaf.Store(true)
		}
	})
	return w
}

func (w *watch) record(s discovery.Snapshot, err error) {
	w.mu.Lock()
	w.yields = append(w.yields, yield{copied(s), s, err, w.suite.Carries})
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func copied(s discovery.Snapshot) discovery.Snapshot {
	s.Refusals = slices.Clone(s.Refusals)
	s.Instances = slices.Clone(s.Instances)
	for n := range s.Instances {
		i := *s.Instances[n]
		i.Endpoints, i.Meta = slices.Clone(i.Endpoints), maps.Clone(i.Meta)
		s.Instances[n] = &i
	}
	return s
}

// all returns what was yielded so far.
func (w *watch) all() []yield {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.yields)
}

// first waits for the first Live snapshot. A Cold one with an error may come
// before it, from a registry that is still on its way.
func (w *watch) first() yield {
	w.t.Helper()
	live := func(y yield) bool { return y.State == discovery.Live }
	w.wait("Live snapshot", func(yields []yield) bool { return slices.ContainsFunc(yields, live) })
	yields := w.all()
	return yields[slices.IndexFunc(yields, live)]
}

// until waits until the latest snapshot fulfils a condition, and returns it.
func (w *watch) until(what string, condition func(yield) bool) yield {
	w.t.Helper()
	var last yield
	w.wait(what, func(yields []yield) bool {
		if len(yields) == 0 {
			return false
		}
		last = yields[len(yields)-1]
		return condition(last)
	})
	return last
}

func (w *watch) untilHas(i discovery.Instance) yield {
	w.t.Helper()
	return w.until("snapshot with "+text(w.suite.Carries(i)), func(y yield) bool { return y.has(i) })
}

func (w *watch) untilLacks(i discovery.Instance) yield {
	w.t.Helper()
	return w.until("snapshot without "+i.ID, func(y yield) bool { return !y.hasID(w.suite.Carries(i).ID) })
}

func (w *watch) untilIs(instances ...discovery.Instance) yield {
	w.t.Helper()
	return w.until(fmt.Sprintf("snapshot of %d certain instances", len(instances)), func(y yield) bool { return y.is(instances...) })
}

// wait looks at the yields each time there are more, until done.
func (w *watch) wait(what string, done func([]yield) bool) {
	w.t.Helper()
	patience := time.NewTimer(w.suite.Patience)
	defer patience.Stop()
	ended := w.ended
	for !done(w.all()) {
		select {
		case <-w.news:
		case <-ended:
			ended = nil // look once more
			if !done(w.all()) {
				w.t.Fatalf("the watch of %s ended before a %s; got %s", w.service, what, w)
			}
		case <-patience.C:
			w.t.Fatalf("the watch of %s yielded no %s in %v; got %s", w.service, what, w.suite.Patience, w)
		}
	}
}

// over waits for the end of the sequence.
func (w *watch) over() bool {
	select {
	case <-w.ended:
		return true
	case <-time.After(w.suite.Patience):
		return false
	}
}

// String is the story of the watch, its end if it is long.
func (w *watch) String() string {
	yields := w.all()
	if len(yields) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for n, y := range yields {
		if len(yields)-n > 8 {
			continue
		}
		fmt.Fprintf(&b, "\n\t%d: %s", n, y)
	}
	return b.String()
}

func (y yield) String() string {
	ids := make([]string, len(y.Instances))
	for n, i := range y.Instances {
		ids[n] = i.Service + "/" + i.ID
	}
	return fmt.Sprintf("%s %v at revision %d, error %v", y.State, ids, y.Revision, y.err)
}

func (y yield) hasID(id string) bool {
	return slices.ContainsFunc(y.Instances, func(i *discovery.Instance) bool { return i.ID == id })
}

// has says whether y has what the registry carries of want.
func (y yield) has(want discovery.Instance) bool {
	want = y.carries(want)
	return slices.ContainsFunc(y.Instances, func(i *discovery.Instance) bool { return i.ID == want.ID && text(*i) == text(want) })
}

// is says whether y is Live and has what the registry carries of these
// instances and no others, in any order.
func (y yield) is(want ...discovery.Instance) bool {
	want = slices.Clone(want)
	for n := range want {
		want[n] = y.carries(want[n])
	}
	return y.State == discovery.Live && y.err == nil && maps.Equal(texts(y.Instances), texts(discovery.List(want...)))
}

func texts(instances []*discovery.Instance) map[key]string {
	m := make(map[key]string, len(instances))
	for _, i := range instances {
		m[key{i.Service, i.ID}] = text(*i)
	}
	return m
}
