package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

var errLost = errors.New("the registry is lost")

// scripted is a registry that says what the test makes it say, and nothing
// before. It belongs to a synctest bubble and has one service.
type scripted struct {
	name      string
	instances map[string]*discovery.Instance // by ID; the test may write to one before it is said

	mu    sync.Mutex
	last  line
	ended bool
	turn  chan struct{} // closed when there is more to tell
}

// line is what a registry said last.
type line struct {
	name  string
	heard bool
	discovery.Snapshot
	err error
}

func newScripted(name string) *scripted {
	return &scripted{name: name, instances: map[string]*discovery.Instance{}, turn: make(chan struct{})}
}

// has returns the record of an instance, which is made if need be: the version
// tells whose record it is, the address is the same in all registries.
func (r *scripted) has(id string) *discovery.Instance {
	if r.instances[id] == nil {
		r.instances[id] = &discovery.Instance{ID: id, Service: "orders", Addr: fmt.Sprintf("192.0.2.%d:80", id[0]), Version: r.name}
	}
	return r.instances[id]
}

func (r *scripted) says(state discovery.State, err error, ids ...string) {
	s := discovery.Snapshot{Service: "orders", State: state}
	if state != cold {
		s.AsOf = time.Now()
	}
	for _, id := range ids {
		s.Instances = append(s.Instances, r.has(id))
	}
	r.tell(func() { r.last = line{r.name, true, s, err} })
}

// refuses says that there is nothing but n malformed records.
func (r *scripted) refuses(n int) {
	s := discovery.Snapshot{Service: "orders", State: live, Refused: n}
	for k := range min(n, discovery.MaxRefusals) {
		s.Refusals = append(s.Refusals, discovery.Refusal{Key: fmt.Sprint("key", k), Reason: "malformed"})
	}
	r.tell(func() { r.last = line{r.name, true, s, nil} })
}

// drops says that n entries were left out of the metadata of an instance.
func (r *scripted) drops(n int, id string) {
	s := discovery.Snapshot{Service: "orders", State: live, Instances: []*discovery.Instance{r.has(id)}, Dropped: n}
	s.Drops = []discovery.Refusal{{Key: id, Reason: "left out"}}
	r.tell(func() { r.last = line{r.name, true, s, nil} })
}

// ends ends all watches for no reason.
func (r *scripted) ends() { r.tell(func() { r.ended = true }) }

// tell waits until everybody has taken note.
func (r *scripted) tell(change func()) {
	synctest.Wait()
	r.mu.Lock()
	r.last.Revision++
	revision := r.last.Revision
	change()
	r.last.Revision = revision
	close(r.turn)
	r.turn = make(chan struct{})
	r.mu.Unlock()
	synctest.Wait()
}

func (r *scripted) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for told := int64(0); ctx.Err() == nil; {
			r.mu.Lock()
			last, ended, turn := r.last, r.ended, r.turn
			r.mu.Unlock()
			if ended || last.heard && last.Revision != told && !yield(last.Snapshot, last.err) {
				return
			}
			told = last.Revision
			select {
			case <-turn:
			case <-ctx.Done():
			}
		}
	}
}

// naive is a composite as one writes it down in an hour: right but for the one
// mistake that a row of the rules is about.
type naive struct {
	members  []*scripted
	choose   func(all []line) (discovery.Snapshot, error)
	patience time.Duration
	chatty   bool // tells what is no news
}

func (n naive) waiting(d time.Duration) naive { n.patience = d; return n }
func (n naive) telling() naive                { n.chatty = true; return n }

func (n naive) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		var mu sync.Mutex
		all := make([]line, len(n.members))
		news := make(chan struct{}, 1)
		var listening sync.WaitGroup
		defer listening.Wait()
		for k, m := range n.members {
			all[k].name = m.name
			listening.Go(func() {
				for s, err := range m.Watch(ctx, service) {
					mu.Lock()
					all[k] = line{m.name, true, s, err}
					mu.Unlock()
					select {
					case news <- struct{}{}:
					default:
					}
				}
			})
		}
		patience := time.NewTimer(n.patience)
		defer patience.Stop()
		over, before := false, "cold"
		for {
			select {
			case <-news:
			case <-patience.C:
				over = true
			case <-ctx.Done():
				return
			}
			mu.Lock()
			now := slices.Clone(all)
			mu.Unlock()
			if !over && slices.ContainsFunc(now, func(l line) bool { return !l.heard }) {
				continue
			}
			s, err := n.choose(now)
			told := entry{s, err}.told()
			if (n.chatty || told != before) && !yield(s, err) {
				return
			}
			before = told
		}
	}
}

// preferring uses the first member that fits; if none does, it merges.
func preferring(fits func(line) bool) naive {
	return naive{patience: discovery.DefaultPatience, choose: func(all []line) (discovery.Snapshot, error) {
		if n := slices.IndexFunc(all, fits); n >= 0 {
			return all[n].Snapshot, all[n].named()
		}
		return merging(mistake{}).choose(all)
	}}
}

// sticking stays with a member as long as that has instances.
func sticking() naive {
	used := -1
	n := preferring(hasInstances)
	sound := n.choose
	n.choose = func(all []line) (discovery.Snapshot, error) {
		if used < 0 || !hasInstances(all[used]) {
			used = slices.IndexFunc(all, hasInstances)
		}
		if used < 0 {
			return sound(all)
		}
		return all[used].Snapshot, all[used].named()
	}
	return n
}

func hasInstances(l line) bool { return len(l.Instances) > 0 }

func (l line) named() error {
	switch {
	case !l.heard:
		return fmt.Errorf("registry %s: it has said nothing yet", l.name)
	case l.err != nil:
		return fmt.Errorf("registry %s: %w", l.name, l.err)
	}
	return nil
}

// mistake is what merging does wrong.
type mistake struct {
	same       func(i, k *discovery.Instance) bool // takes these for the same, and no others
	later      bool                                // the record of the later member counts
	throughout bool                                // also within one member
	state      func(all []line) discovery.State
	err        func(all []line) error
	refusals   func(all []line) int
}

func merging(m mistake) naive {
	return naive{patience: discovery.DefaultPatience, choose: func(all []line) (discovery.Snapshot, error) {
		s := discovery.Snapshot{Service: "orders", State: soundState(all)}
		if m.state != nil {
			s.State = m.state(all)
		}
		err := soundError(all)
		if m.err != nil {
			err = m.err(all)
		}
		same := soundSame
		if m.same != nil {
			same = m.same
		}
		if m.later {
			slices.Reverse(all)
		}
		for _, l := range all {
			others := s.Instances
			for _, i := range l.Instances {
				if m.throughout {
					others = s.Instances
				}
				if !slices.ContainsFunc(others, func(k *discovery.Instance) bool { return same(i, k) }) {
					s.Instances = append(slices.Clip(s.Instances), i)
				}
			}
		}
		discovery.Sort(s.Instances)
		for _, l := range all {
			s.Refused += l.Refused
			for _, r := range l.Refusals {
				s.Refusals = append(s.Refusals, discovery.Refusal{Key: l.name + ": " + r.Key})
			}
		}
		s.Refusals = s.Refusals[:min(len(s.Refusals), discovery.MaxRefusals)]
		if m.refusals != nil {
			s.Refused = m.refusals(all)
		}
		return s, err
	}}
}

func soundState(all []line) discovery.State {
	states := map[discovery.State]bool{}
	for _, l := range all {
		states[l.State] = true
	}
	if len(states) == 1 {
		return all[0].State
	}
	return stale
}

func best(all []line) discovery.State {
	if slices.ContainsFunc(all, func(l line) bool { return l.State == live }) {
		return live
	}
	return soundState(all)
}

func worst(all []line) discovery.State {
	if slices.ContainsFunc(all, func(l line) bool { return l.State == cold }) {
		return cold
	}
	return soundState(all)
}

func soundError(all []line) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.named())
	}
	return errors.Join(errs...)
}

func soundSame(i, k *discovery.Instance) bool {
	return sameID(i, k) || slices.ContainsFunc(addrPortsOf(i), func(a netip.AddrPort) bool { return slices.Contains(addrPortsOf(k), a) })
}

func sameID(i, k *discovery.Instance) bool { return i.ID == k.ID }

func addrPortsOf(i *discovery.Instance) []netip.AddrPort {
	all := []netip.AddrPort{netip.MustParseAddrPort(i.Addr)}
	for _, e := range i.Endpoints {
		if a, err := netip.ParseAddrPort(e.Addr); err == nil {
			all = append(all, a)
		}
	}
	return all
}
