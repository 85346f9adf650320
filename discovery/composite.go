package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Composite is several registries used as one [Registry] and one [Registrar]:
// to fall back from one to the other, to see the instances of both, to move
// from one to the other. It is safe for concurrent use.
type Composite struct {
	rule     Rule
	patience time.Duration
	logger   *slog.Logger
	members  []member

	ctx     context.Context // of all watches; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // one goroutine per watch and member; added to under mu
	closed  chan struct{}  // closed when Close is done

	mu            sync.Mutex // guards all below
	closing       bool
	watches       []*compositeWatch // in the order in which they began
	registrations map[*compositeRegistration]struct{}
}

// member is an open Member.
type member struct {
	name      string
	registry  Registry
	registrar Registrar // nil: nothing is registered here
	owned     bool
}

// What a registry may have beside its Watch.
type (
	closer    interface{ Close(context.Context) error }
	stater    interface{ State() any }
	localer   interface{ Local() bool }
	refresher interface {
		Refresh(ctx context.Context, service string) error
	}
)

var (
	_ Registry  = (*Composite)(nil)
	_ Registrar = (*Composite)(nil)
)

// NewComposite opens the members that are to be opened and returns a registry
// of all. The error is a [*FieldError], or that of a member that could not be
// opened; nothing is then left open.
func NewComposite(config CompositeConfig) (*Composite, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Composite{
		rule:          config.Rule,
		patience:      cmp.Or(config.Patience, DefaultPatience),
		logger:        cmp.Or(config.Logger, slog.Default()),
		closed:        make(chan struct{}),
		registrations: map[*compositeRegistration]struct{}{},
	}
	for _, given := range config.Members {
		m, err := given.open()
		if err != nil {
			return nil, errors.Join(err, c.closeMembers(context.Background()))
		}
		c.members = append(c.members, m)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func (m Member) open() (member, error) {
	opened := member{name: m.Name, registry: m.Registry, owned: m.Open != nil}
	if opened.owned {
		var err error
		if opened.registry, err = m.Open(); err != nil {
			return member{}, named(m.Name, err)
		}
		if opened.registry == nil {
			return member{}, named(m.Name, &FieldError{Field: "Member.Open", Value: nil, Allowed: "a function that returns a registry or an error"})
		}
	}
	if !m.ReadOnly {
		opened.registrar, _ = opened.registry.(Registrar)
	}
	return opened, nil
}

// named says which member err came from.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("registry %s: %w", name, err)
}

// Watch implements [Registry]. Each watch watches the service in every member.
// It ends by itself when the watches of all members have.
func (c *Composite) Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		if err := ValidateService(service); err != nil {
			yield(Snapshot{Service: service}, err)
			return
		}
		w := c.begin(ctx, service)
		if w == nil {
			yield(Snapshot{Service: service}, ErrClosed)
			return
		}
		defer c.end(w)
		w.run(ctx, yield)
	}
}

// begin returns a watch that listens to all members, or nil after Close.
func (c *Composite) begin(ctx context.Context, service string) *compositeWatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(c.ctx, cancel)
	w := newCompositeWatch(c, service, func() { forget(); cancel() })
	c.watches = append(c.watches, w)
	c.running.Add(len(c.members))
	for n, m := range c.members {
		w.listening.Go(func() { // owned by w, ends with ctx
			defer c.running.Done()
			w.listen(ctx, n, m.registry)
		})
	}
	return w
}

func (c *Composite) end(w *compositeWatch) {
	w.cancel()
	w.listening.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches = slices.DeleteFunc(c.watches, func(other *compositeWatch) bool { return other == w })
}

// Refresh makes the lists of service as fresh as they can be, within ctx, in
// all members that have such a method. The error names those that failed.
func (c *Composite) Refresh(ctx context.Context, service string) error {
	return c.each(func(m member) error {
		if r, ok := m.registry.(refresher); ok {
			return r.Refresh(ctx, service)
		}
		return nil
	})
}

// Local says whether what the composite tells comes from this host alone: it
// does if every member has such a method, and each says so.
func (c *Composite) Local() bool {
	return !slices.ContainsFunc(c.members, func(m member) bool {
		l, ok := m.registry.(localer)
		return !ok || !l.Local()
	})
}

// Close withdraws what was registered through the composite, ends all watches
// with [ErrClosed] and closes the members that the composite opened itself. It
// waits for all of this, at most until ctx is done; a member that fails keeps
// it from none of the others. The error says what failed where. A second Close
// waits for the first and returns nil.
func (c *Composite) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	registrations := slices.Collect(maps.Keys(c.registrations))
	c.mu.Unlock()
	if !first {
		select {
		case <-c.closed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer close(c.closed)
	c.cancel() // ends the watches
	return errors.Join(
		together(registrations, func(r *compositeRegistration) error { return r.Close(ctx) }),
		c.unwatched(ctx),
		c.closeMembers(ctx),
	)
}

// unwatched waits until no member is watched, which one that ignores its
// context can hold up.
func (c *Composite) unwatched(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { // ends with the watches
		c.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-ended: // as well
		return nil
	default:
		return fmt.Errorf("discovery: watches have not ended: %w", context.Cause(ctx))
	}
}

func (c *Composite) closeMembers(ctx context.Context) error {
	return c.each(func(m member) error {
		if r, ok := m.registry.(closer); ok && m.owned {
			return r.Close(ctx)
		}
		return nil
	})
}

// each calls do for all members at once and names those that failed.
func (c *Composite) each(do func(member) error) error {
	return together(c.members, func(m member) error { return named(m.name, do(m)) })
}

// together calls do for all at once, waits, and joins the errors in order.
func together[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for n, one := range all {
		running.Go(func() { errs[n] = do(one) })
	}
	running.Wait()
	return errors.Join(errs...)
}
