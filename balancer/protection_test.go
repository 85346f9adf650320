package balancer_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// A tale is what happens to a service of ten instances, a to j.
type tale struct {
	subject subject
	listed  map[string]*discovery.Instance
	now     time.Duration
	stale   bool
}

// subject is what a tale is told to: a pool, or a double of one.
type subject interface {
	update(s discovery.Snapshot, now time.Duration)
	review(now time.Duration)
	call(id string, result balancer.Result, now time.Duration)
	view() string // IDs, in order
	held() int
}

// pooled is the real one.
type pooled struct{ *balancer.Pool }

func (p pooled) update(s discovery.Snapshot, now time.Duration) { p.Update(s, now) }
func (p pooled) review(now time.Duration)                       { p.Review(now) }
func (p pooled) held() int                                      { return p.View().Held }

func (p pooled) view() string {
	var ids strings.Builder
	for _, n := range p.View().Nodes {
		ids.WriteString(n.ID())
	}
	return ids.String()
}

func (p pooled) node(id string) *balancer.Node {
	nodes := p.View().Nodes
	if i := slices.IndexFunc(nodes, func(n *balancer.Node) bool { return n.ID() == id }); i >= 0 {
		return nodes[i]
	}
	return nil
}

func (p pooled) call(id string, result balancer.Result, now time.Duration) {
	if n := p.node(id); n != nil {
		n.Start(now-time.Millisecond).Done(now, result)
	}
}

func protected(tb testing.TB, c balancer.Protection) pooled {
	tb.Helper()
	pool, err := balancer.NewPool(balancer.PoolConfig{Protection: c, Balancing: balancer.Balancing{OutlierDetection: balancer.OutlierDetection{Off: true}, Subset: balancer.Subset{Off: true}}})
	if err != nil {
		tb.Fatal(err)
	}
	return pooled{pool}
}

// begin tells a subject of the first instances.
func begin(s subject, ids string) *tale {
	w := &tale{subject: s, listed: map[string]*discovery.Instance{}, now: start}
	w.come(ids)
	return w
}

func (w *tale) come(ids string) *tale {
	for id := range strings.SplitSeq(ids, "") {
		i := fixture.Instances("orders", int(id[0])+1)[id[0]]
		i.ID = id
		w.listed[id] = &i
	}
	return w.tell()
}

// comeAt is come of one at the address of another.
func (w *tale) comeAt(id, at string) *tale {
	i := fixture.Instances("orders", int(at[0])+1)[at[0]]
	i.ID = id
	w.listed[id] = &i
	return w.tell()
}

func (w *tale) drain(ids string) *tale {
	for id := range strings.SplitSeq(ids, "") {
		draining := *w.listed[id]
		draining.Draining = true
		w.listed[id] = &draining
	}
	return w.tell()
}

// vanish takes instances off the list, all at once.
func (w *tale) vanish(ids string) *tale {
	for id := range strings.SplitSeq(ids, "") {
		delete(w.listed, id)
	}
	return w.tell()
}

// vanishEach takes one after the other, with a pause before each but the
// first.
func (w *tale) vanishEach(pause time.Duration, ids string) *tale {
	for n, id := range strings.Split(ids, "") {
		if n > 0 {
			w.wait(pause)
		}
		w.vanish(id)
	}
	return w
}

func (w *tale) deaf() *tale  { w.stale = true; return w.tell() }
func (w *tale) hears() *tale { w.stale = false; return w.tell() }

func (w *tale) tell() *tale {
	s := discovery.Snapshot{Service: "orders", State: discovery.Live}
	if w.stale {
		s.State = discovery.Stale
	}
	for _, i := range w.listed {
		s.Instances = append(s.Instances, i)
	}
	discovery.Sort(s.Instances)
	w.subject.update(s, w.now)
	return w
}

// wait lets time pass, with a review at the end of it.
func (w *tale) wait(d time.Duration) *tale {
	w.now += d
	w.subject.review(w.now)
	return w
}

func (w *tale) call(id string, results ...balancer.Result) *tale {
	for _, r := range results {
		w.now += time.Millisecond
		w.subject.call(id, r, w.now)
	}
	return w
}

const (
	succeeds = balancer.Success
	fails    = balancer.Failure
	refuses  = balancer.Unreachable
	says     = balancer.Neutral // nothing
)

// protections are the rules, each with what is in the view after a tale and
// how many of these are held. Naive names a double that fails it.
var protections = []struct {
	name   string
	config balancer.Protection
	first  string
	tale   func(w *tale)
	view   string
	held   int
	naive  bug
}{
	// What is held.
	{"a single death among many passes at once", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("c") }, "abdefghij", 0, holdsAnything},
	{"three of ten are not more than 30 %", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("abc") }, "defghij", 0, holdsAnything},
	{"four of ten are", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("abcd") }, "abcdefghij", 4, off},
	{"two of three are too few", balancer.Protection{}, "abc",
		func(w *tale) { w.vanish("ab") }, "c", 0, holdsAnything},
	{"three of four are not", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc") }, "abcd", 3, off},
	{"all of ten", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("abcdefghij") }, "abcdefghij", 10, off},
	{"both of two: an empty list is never believed at once", balancer.Protection{}, "ab",
		func(w *tale) { w.vanish("ab") }, "ab", 2, emptyPasses},
	{"the only one", balancer.Protection{}, "a",
		func(w *tale) { w.vanish("a") }, "a", 1, emptyPasses},

	// The window.
	{"one by one: those that left already come back", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanishEach(time.Second, "abcd") }, "abcdefghij", 4, perEvent},
	{"until the fourth they have left", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanishEach(time.Second, "abc") }, "defghij", 0, holdsAnything},
	{"and the fifth is held with them", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanishEach(time.Second, "abcde") }, "abcdefghij", 5, perEvent},
	{"one every sixteen seconds is no mass", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanishEach(16*time.Second, "abcde") }, "fghij", 0, noWindow},
	{"one long ago stays away when others vanish", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("a").wait(31 * time.Second).vanish("bcde") }, "bcdefghij", 4, noWindow},
	{"one 30 s ago comes back with them", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("a").wait(30 * time.Second).vanish("bcde") }, "abcdefghij", 5, perEvent},
	{"the last of two brings the first back", balancer.Protection{}, "ab",
		func(w *tale) { w.vanishEach(10*time.Second, "ab") }, "ab", 2, perEvent},
	{"the share is of the most there were within the window", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("hij").vanish("hij").wait(20 * time.Second).vanish("abc") }, "defg", 0, ofTheLast},
	{"and of no more", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("hij").vanish("hij").wait(31 * time.Second).vanish("abc") }, "abcdefg", 3, noWindow},
	{"those that came back do not count", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("abc").wait(time.Second).come("abc").vanish("d") }, "abcefghij", 0, holdsAnything},

	// On purpose.
	{"drained before", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("abcde").wait(2 * time.Second).vanish("abcde") }, "fghij", 0, noDrain},
	{"scaled to zero", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("abcdefghij").vanish("abcdefghij") }, "", 0, noDrain},
	{"the drained ones go, the others are held", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("ab").vanish("abcdef") }, "cdefghij", 4, noDrain},
	{"the drained ones do not count", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.drain("ab").vanish("abcde") }, "fghij", 0, noDrain},
	{"the last one drained, though another vanished before", balancer.Protection{}, "ab",
		func(w *tale) { w.vanish("a").wait(time.Second).drain("b").vanish("b") }, "", 0, noDrain},
	{"others at the same addresses", balancer.Protection{}, "abcd",
		func(w *tale) {
			delete(w.listed, "a")
			delete(w.listed, "b")
			delete(w.listed, "c")
			for _, id := range []string{"a", "b", "c"} {
				w.listed[strings.ToUpper(id)] = at(strings.ToUpper(id), id)
			}
			w.tell()
		}, "ABCd", 0, noReplacing},
	{"others that were at the same addresses already", balancer.Protection{}, "abcd",
		func(w *tale) { w.comeAt("A", "a").comeAt("B", "b").comeAt("C", "c").vanish("abc") }, "ABCd", 0, noReplacing},
	{"no address is nobody's address", balancer.Protection{}, "abcde",
		func(w *tale) {
			for id := range strings.SplitSeq("abcde", "") {
				w.listed[id] = &discovery.Instance{ID: id, Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "10.0.0.1:80"}}}
			}
			w.tell().vanish("d").wait(time.Second).vanish("abc")
		}, "abcde", 4, perEvent},
	{"one that is replaced later is let go of", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").wait(time.Second).comeAt("A", "a") }, "Abcd", 2, noReplacing},
	{"and does not count when others vanish", balancer.Protection{}, "abcdefghij",
		func(w *tale) { w.vanish("abc").wait(time.Second).comeAt("A", "a").vanish("d") }, "Aefghij", 0, noReplacing},

	// What calls show.
	{"it refuses a connection", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", refuses).wait(time.Second) }, "bcd", 2, noTraffic},
	{"it refuses one after it answered", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", succeeds, refuses).wait(time.Second) }, "bcd", 2, noTraffic},
	{"it refused before it vanished: that may have been anything", balancer.Protection{}, "abcd",
		func(w *tale) { w.call("a", refuses, refuses, refuses, refuses).vanish("abc").wait(time.Second) }, "abcd", 3, off},
	{"it fails and never succeeds", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", fails, fails, fails).wait(time.Second) }, "bcd", 2, noTraffic},
	{"it fails, seldom as it is called", balancer.Protection{}, "abcd",
		func(w *tale) {
			w.vanish("abc").call("a", fails).wait(time.Minute).call("a", fails).wait(time.Minute).call("a", fails).wait(time.Second)
		}, "bcd", 2, noTraffic},
	{"two failures are not enough", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", fails, fails).wait(time.Second) }, "abcd", 3, off},
	{"it fails and succeeds", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", fails, succeeds, fails, fails, fails).wait(time.Second) }, "abcd", 3, off},
	{"calls that say nothing", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", says, says, says, says).wait(time.Second) }, "abcd", 3, off},
	{"a new list is a review as well", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", refuses).tell() }, "bcd", 2, noTraffic},
	{"who was found gone is not missed again", balancer.Protection{}, "abcdefghij",
		func(w *tale) {
			w.vanish("abcd").call("a", refuses).wait(time.Second).vanish("ef")
		}, "bcdefghij", 5, noTraffic},
	{"nor does it count", balancer.Protection{}, "abcdefghij",
		func(w *tale) {
			for _, id := range []string{"a", "b", "c", "d"} {
				w.vanish("abcd").call(id, refuses)
			}
			w.wait(time.Second).vanish("e")
		}, "fghij", 0, noTraffic},
	{"all at once found gone", balancer.Protection{}, "a",
		func(w *tale) { w.vanish("a").call("a", refuses).wait(time.Second) }, "", 0, noTraffic},

	// The end of a hold.
	{"no call: until the hold ends", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").wait(10*time.Minute - 1) }, "abcd", 3, off},
	{"and no longer", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").wait(10 * time.Minute) }, "d", 0, forever},
	{"however well it answers", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").call("a", succeeds).wait(10 * time.Minute) }, "d", 0, forever},
	{"it is not held twice", balancer.Protection{Hold: time.Second}, "abcdefghij",
		func(w *tale) { w.vanish("abcd").wait(time.Second).vanish("e") }, "fghij", 0, forever},
	{"it is on the list again", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").wait(time.Minute).come("ab").wait(10 * time.Minute) }, "abd", 0, forgets},
	{"and vanishes anew: a new hold", balancer.Protection{}, "abcd",
		func(w *tale) {
			w.vanish("abc").wait(9 * time.Minute).come("abc").wait(time.Minute).vanish("abc").wait(9 * time.Minute)
		}, "abcd", 3, forgets},
	{"with nothing known of it yet", balancer.Protection{}, "abcd",
		func(w *tale) {
			w.vanish("abc").call("a", fails, fails).come("abc").vanish("abc").call("a", fails).wait(time.Second)
		}, "abcd", 3, forgets},

	// A registry that is not heard.
	{"the list turns stale: nothing changes", balancer.Protection{}, "abcd",
		func(w *tale) { w.deaf() }, "abcd", 0, staleIsEmpty},
	{"no hold ends while nobody could come back", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").wait(time.Minute).deaf().wait(time.Hour) }, "abcd", 3, clockRuns},
	{"nor at once when the registry is heard again", balancer.Protection{}, "abcd",
		func(w *tale) {
			w.vanish("abc").wait(time.Minute).deaf().wait(time.Hour).hears().wait(9*time.Minute - 1)
		}, "abcd", 3, clockRuns},
	{"but when its time is up", balancer.Protection{}, "abcd",
		func(w *tale) {
			w.vanish("abc").wait(time.Minute).deaf().wait(time.Hour).hears().wait(9 * time.Minute)
		}, "d", 0, forever},
	{"what calls show holds all the time", balancer.Protection{}, "abcd",
		func(w *tale) { w.vanish("abc").deaf().call("a", refuses).wait(time.Second) }, "bcd", 2, noTraffic},
	{"it comes back with a sharply shrunk list", balancer.Protection{}, "abcdefghij",
		func(w *tale) {
			w.deaf().wait(time.Hour)
			for _, id := range []string{"a", "b", "c", "d"} {
				delete(w.listed, id)
			}
			w.hears()
		}, "abcdefghij", 4, off},

	// Configured.
	{"off: every list applies at once", balancer.Protection{Off: true}, "abcdefghij",
		func(w *tale) { w.vanish("abcdefghij") }, "", 0, holdsAnything},
	{"another share", balancer.Protection{Share: 0.5}, "abcdefghij",
		func(w *tale) { w.vanish("abcde") }, "fghij", 0, holdsAnything},
	{"another least", balancer.Protection{Least: 5}, "abcdefghij",
		func(w *tale) { w.vanish("abcd") }, "efghij", 0, holdsAnything},
	{"another window", balancer.Protection{Window: time.Second}, "abcdefghij",
		func(w *tale) { w.vanishEach(2*time.Second, "abcde") }, "fghij", 0, noWindow},
	{"another hold", balancer.Protection{Hold: time.Second}, "abcd",
		func(w *tale) { w.vanish("abc").wait(time.Second) }, "d", 0, forever},
}

func at(id, address string) *discovery.Instance {
	i := fixture.Instances("orders", int(address[0])+1)[address[0]]
	i.ID = id
	return &i
}

func TestProtection(t *testing.T) {
	for _, tt := range protections {
		t.Run(tt.name, func(t *testing.T) {
			p := protected(t, tt.config)
			tt.tale(begin(p, tt.first))
			if got := p.view(); got != tt.view || p.held() != tt.held {
				t.Errorf("in the view: %q, %d held; want %q, %d held", got, p.held(), tt.view, tt.held)
			}
			ids := 0
			for _, n := range p.View().Nodes {
				if _, held := n.Held(); held {
					ids++
				}
			}
			if ids != tt.held {
				t.Errorf("%d nodes say that they are held, want %d", ids, tt.held)
			}
		})
	}
}

// Each row above is failed by the double it names, and the double that keeps
// to the rules passes all of them: the rows can tell.
func TestProtectionRowsCanTell(t *testing.T) {
	for _, tt := range protections {
		passes := func(b bug) bool {
			d := newDouble(tt.config, b)
			tt.tale(begin(d, tt.first))
			return d.view() == tt.view && d.held() == tt.held
		}
		if !passes(0) {
			t.Errorf("%s: the double that keeps to the rules fails it", tt.name)
		}
		if passes(tt.naive) {
			t.Errorf("%s: double %d, with a bug, passes it", tt.name, tt.naive)
		}
	}
}

func TestProtectionValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config balancer.Protection
		field  string // "": it is good
	}{
		{"zero", balancer.Protection{}, ""},
		{"all of it", balancer.Protection{Share: 1, Least: 10, Window: time.Hour, Hold: time.Hour}, ""},
		{"a negative share", balancer.Protection{Share: -0.1}, "Share"},
		{"more than all", balancer.Protection{Share: 1.1}, "Share"},
		{"no number", balancer.Protection{Share: math.NaN()}, "Share"},
		{"a negative least", balancer.Protection{Least: -1}, "Least"},
		{"a negative window", balancer.Protection{Window: -1}, "Window"},
		{"a negative hold", balancer.Protection{Hold: -1}, "Hold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := balancer.NewPool(balancer.PoolConfig{Protection: tt.config})
			field, ok := errors.AsType[*discovery.FieldError](err)
			if tt.field == "" && err != nil || tt.field != "" && (!ok || field.Field != "Protection."+tt.field) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// Nobody vanishes from a list that was never live, such as one from disk.
func TestAListFromDiskIsNotProtected(t *testing.T) {
	p := protected(t, balancer.Protection{})
	s := fixture.Snapshot("orders", 10)
	s.State = discovery.Stale
	p.Update(s, start)
	if view := p.Update(fixture.Snapshot("orders", 4), start); len(view.Nodes) != 4 || view.Held != 0 {
		t.Errorf("%d nodes, %d held", len(view.Nodes), view.Held)
	}
	// Nor does its length count: two of four vanish, and one before.
	p.Update(fixture.Snapshot("orders", 1), start)
	if p.held() != 3 {
		t.Errorf("%d are held of three that vanished from a live list of four", p.held())
	}
}

// A suspect is chosen like any other, and what it showed before is kept: while
// it is held, when it is back, and when it comes back after the hold.
func TestSuspectsKeepTheirStatistics(t *testing.T) {
	p := protected(t, balancer.Protection{})
	w := begin(p, "abcd")
	node := p.node("a")
	p.call("a", balancer.Failure, w.now)
	took(node, 80*time.Millisecond, w.now)
	before := node.Stats(w.now)
	if before.Failing == 0 || before.Latency == 0 {
		t.Fatal("nothing to keep")
	}
	check := func(when string) {
		t.Helper()
		if got := p.node("a"); got != node || got.Stats(w.now).Latency != before.Latency || got.Stats(w.now).Failing != before.Failing {
			t.Errorf("%s: its statistics are lost", when)
		}
	}
	w.vanish("abc")
	check("held")
	got := share(balancer.Random{}, p.View().Eligible(discovery.HTTP), w.now)
	if len(got) != 4 || !(got[node] > 0.2) {
		t.Errorf("a suspect has %v of the picks", got[node])
	}
	w.wait(time.Minute).come("abc")
	check("back")
	w.vanish("abc").wait(10*time.Minute + time.Second).come("abc")
	check("back after the hold")
}

// The evidence is taken where failures are, and does not show there.
func TestSuspicionLeavesTheShareOfFailuresAlone(t *testing.T) {
	p := protected(t, balancer.Protection{})
	w := begin(p, "abcd")
	free := balancer.NewNode(*p.node("a").Instance(), 0)
	w.vanish("abc")
	suspect := p.node("a")
	for n, result := range []balancer.Result{succeeds, fails, fails, succeeds, succeeds, refuses, says, succeeds} {
		for _, node := range []*balancer.Node{free, suspect} {
			at := w.now + time.Duration(n)*time.Second
			node.Start(at-time.Millisecond).Done(at, result)
		}
		if a, b := free.Stats(w.now), suspect.Stats(w.now); a != b {
			t.Errorf("after %d calls: %+v, and of the suspect %+v", n+1, a, b)
		}
	}
	now := w.now + 8*time.Second
	if s := share(balancer.P2CEWMA{}, []*balancer.Node{free, suspect}, now)[suspect]; !evenly(s) {
		t.Errorf("of two that are equal the suspect has %.3f of the picks", s)
	}
}

// What becomes of the held ones adds up.
func TestPreservedAddsUp(t *testing.T) {
	p := protected(t, balancer.Protection{})
	w := begin(p, "abcdefghij")
	w.vanish("abcdefgh").come("ab").comeAt("C", "c").call("d", refuses).wait(time.Second)
	view := p.View()
	want := balancer.Preserved{Held: 8, Returned: 2, Replaced: 1, Gone: 1}
	if view.Preserved != want || view.Held != 4 {
		t.Errorf("%+v and %d held, want %+v and 4", view.Preserved, view.Held, want)
	}
	if want := start + 10*time.Minute; view.HeldUntil != want {
		t.Errorf("until %v, want %v", view.HeldUntil, want)
	}
	if since, ok := p.node("e").Held(); since != start || !ok {
		t.Errorf("held since %v (%t)", since, ok)
	}
	w.wait(10 * time.Minute)
	want.Expired = 4
	if view := p.View(); view.Preserved != want || view.Held != 0 || view.HeldUntil != 0 {
		t.Errorf("%+v, %d held until %v; want %+v", view.Preserved, view.Held, view.HeldUntil, want)
	}
	if len(p.View().Snapshot.Instances) != 5 {
		t.Error("the snapshot is not what the registry said")
	}
}

// Time may be counted from anywhere, also from later.
func TestHoldsBeforeTheEpoch(t *testing.T) {
	p := protected(t, balancer.Protection{})
	now := -time.Hour
	p.Update(fixture.Snapshot("orders", 4), now)
	if view := p.Update(fixture.Snapshot("orders", 0), now); view.Held != 4 || view.HeldUntil != now+10*time.Minute {
		t.Errorf("%d held until %v", view.Held, view.HeldUntil)
	}
	if view := p.Review(now + 10*time.Minute - 1); view.Held != 4 {
		t.Errorf("%d are held a moment before", view.Held)
	}
	if view := p.Review(now + 10*time.Minute); view.Held != 0 {
		t.Errorf("%d are held after", view.Held)
	}
}

// A review that finds nothing publishes nothing.
func TestReviewChangesNoViewWithoutNeed(t *testing.T) {
	p := protected(t, balancer.Protection{})
	w := begin(p, "abcd")
	for range 2 {
		if view := p.View(); p.Review(w.now) != view || p.View() != view {
			t.Error("there is another view")
		}
		w.vanish("abc")
	}
}

// Streams say that the instance answers when they end well, and nothing while
// they last.
func TestStreamsOfASuspect(t *testing.T) {
	p := protected(t, balancer.Protection{})
	w := begin(p, "abcd")
	lasting := p.node("a").StartStream(w.now)
	w.vanish("abc")
	ended := p.node("b").StartStream(w.now)
	ended.Done(w.now, balancer.Success)
	w.call("b", fails, fails, fails).wait(9 * time.Minute)
	if got := p.view(); got != "abcd" {
		t.Errorf("in the view: %q", got)
	}
	w.wait(time.Minute)
	if got := p.view(); got != "d" {
		t.Errorf("after the hold: %q", got)
	}
	// It is let go of, not cut off; when it comes back its stream is there.
	if w.wait(time.Hour).come("a"); p.node("a").Outstanding() != 1 {
		t.Error("the stream is lost")
	}
	lasting.Done(w.now, balancer.Success)
}

// Fault row 50, with suspects: calls go on while instances vanish and come
// back. In the end no node that is listed is a suspect, and all adds up.
func TestSuspicionWhileViewsAreSwapped(t *testing.T) {
	p := protected(t, balancer.Protection{})
	whole, none := fixture.Snapshot("orders", 20), fixture.Snapshot("orders", 0)
	p.Update(whole, start)
	var done atomic.Bool
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for n := 0; !done.Load() || n < 1000; n++ {
				now := balancer.Now()
				view := p.View()
				if len(view.Nodes) < 16 { // of those that refuse there are four
					t.Errorf("%d nodes", len(view.Nodes))
					return
				}
				node := view.Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64()})
				result := balancer.Success
				if node.Index()%5 == 0 {
					result = balancer.Unreachable
				}
				node.Start(now).Done(balancer.Now(), result)
				node.Held()
				node.Stats(now)
			}
		})
	}
	for n := range 100 {
		now := start + time.Duration(n)*time.Second
		p.Update(none, now)
		runtime.Gosched()
		p.Review(now + time.Millisecond)
		p.Update(whole, now+2*time.Millisecond)
	}
	done.Store(true)
	callers.Wait()
	view := p.View()
	for _, n := range view.Nodes {
		if _, held := n.Held(); held {
			t.Errorf("%s is listed and held", n.ID())
		}
	}
	if c := view.Preserved; view.Held != 0 || c.Held != c.Returned+c.Gone {
		t.Errorf("%d held, %+v", view.Held, view.Preserved)
	}
}

// Records at forbidden addresses that vanish, as hostile ones do with their
// lease, are nobody's loss.
func TestNobodyMissesWhoCouldNotBeCalled(t *testing.T) {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := fixture.Snapshot("orders", 12)
	for n, i := range s.Instances[:10] {
		hostile := *i
		hostile.Addr = "169.254.169.254:80"
		s.Instances[n] = &hostile
	}
	pool.Update(s, start)
	s.Instances = s.Instances[10:]
	if view := pool.Update(s, start+time.Second); view.Held != 0 || len(view.Nodes) != 2 {
		t.Errorf("%d held among %d nodes, want none among 2", view.Held, len(view.Nodes))
	}
}
