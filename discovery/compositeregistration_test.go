package discovery_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// registering plays with a composite of two memories, and a journal of each.
func registering(t *testing.T, test func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, journals [2]*journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		members := [2]*discovery.Memory{new(discovery.Memory), new(discovery.Memory)}
		c := composite(t, discovery.Prefer, members[0], members[1])
		journals := [2]*journal{follow(t.Context(), members[0], "orders"), follow(t.Context(), members[1], "orders")}
		test(t, c, members, journals)
	})
}

// now is the last that was yielded.
func (j *journal) now(t *testing.T) entry {
	t.Helper()
	yields, _ := j.take()
	if len(yields) == 0 {
		t.Fatal("nothing new")
	}
	return yields[len(yields)-1]
}

func announce(t *testing.T, c *discovery.Composite, i discovery.Instance) discovery.Registration {
	t.Helper()
	r, err := c.Register(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// briefly is a context that ends while the registry is away.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

// wantTrouble wants err to say that the time was over, in that member and in
// no other.
func wantTrouble(t *testing.T, what string, err error, member string) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errAway) ||
		!strings.HasPrefix(err.Error(), "registry "+member+": ") || strings.Count(err.Error(), "registry ") != 1+strings.Count(errAway.Error(), "registry ") {
		t.Errorf("%s: error %v; want that the time is over, and why, in %s alone", what, err, member)
	}
}

// The instance is the same everywhere, down to what a registrar fills in.
func TestCompositeRegistersEverywhere(t *testing.T) {
	registering(t, func(t *testing.T, c *discovery.Composite, _ [2]*discovery.Memory, journals [2]*journal) {
		r := announce(t, c, discovery.Instance{Service: "orders", Addr: "192.0.2.1:80"})
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, b := journals[0].now(t), journals[1].now(t)
		a.want(t, live, nil, r.Instance().ID)
		b.want(t, live, nil, r.Instance().ID)
		if i := b.Instances[0]; !i.StartedAt.Equal(a.Instances[0].StartedAt) || i.Weight != discovery.DefaultWeight {
			t.Errorf("the second member has %+v, the first %+v", i, a.Instances[0])
		}
		if s := r.State(); !s.Registered || s.Reason != "" || s.Since.IsZero() {
			t.Errorf("State() = %+v; want it registered", s)
		}
	})
}

func TestCompositeDoesNotRegisterWhereItOnlyReads(t *testing.T) {
	m, hidden := new(discovery.Memory), new(discovery.Memory)
	static, err := discovery.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	c, err := discovery.NewComposite(discovery.CompositeConfig{Members: []discovery.Member{
		{Name: "static", Registry: static}, {Name: "hidden", Registry: hidden, ReadOnly: true}, {Name: "memory", Registry: m},
	}})
	if err != nil {
		t.Fatal(err)
	}
	announce(t, c, valid())
	if s, _ := latest(t, m, "orders"); len(s.Instances) != 1 {
		t.Errorf("the registrar holds %d instances, want 1", len(s.Instances))
	}
	if s, _ := latest(t, hidden, "orders"); len(s.Instances) != 0 {
		t.Errorf("the member to be read only holds %d instances, want none", len(s.Instances))
	}
}

func TestCompositeOfReadersDoesNotRegister(t *testing.T) {
	static, err := discovery.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := composite(t, discovery.Merge, static).Register(t.Context(), valid()); !errors.Is(err, discovery.ErrNoRegistrar) {
		t.Errorf("Register: error %v, want ErrNoRegistrar", err)
	}
}

// What is broken in one registry is done in the other all the same, without
// waiting for the broken one, and the error names it.
func TestCompositeOneBrokenRegistryDoesNotHinderTheOther(t *testing.T) {
	for n, broken := range []string{"a", "b"} {
		t.Run(broken, func(t *testing.T) {
			registering(t, func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, journals [2]*journal) {
				sound := journals[1-n]
				sound.take()
				members[n].Fail(errAway)
				began := time.Now()
				r := announce(t, c, valid())
				registered := sound.one(t)
				registered.want(t, live, nil, "7f3a")
				if !time.Now().Equal(began) {
					t.Error("Register waited")
				}
				if s := r.State(); s.Registered || s.Reason != "registry "+broken+": the registry is away" {
					t.Errorf("State() = %+v; want it not registered, because of %s", s, broken)
				}
				wantTrouble(t, "Wait", r.Wait(briefly(t)), broken)

				i := valid()
				i.Weight = 7
				if err := r.Update(i); err != nil {
					t.Errorf("Update: error %v", err)
				}
				if got := sound.one(t); got.Instances[0].Weight != 7 {
					t.Errorf("weight %d after Update, want 7", got.Instances[0].Weight)
				}

				ctx := briefly(t)
				drained := make(chan error, 1)
				go func() { drained <- r.Drain(ctx) }()
				if got := sound.one(t); !got.Instances[0].Draining || ctx.Err() != nil {
					t.Error("not draining while the broken registry is waited for")
				}
				wantTrouble(t, "Drain", <-drained, broken)
				if s := r.State(); !s.Draining {
					t.Errorf("State() = %+v; want it draining", s)
				}

				ctx = briefly(t)
				closed := make(chan error, 1)
				go func() { closed <- r.Close(ctx) }()
				gone := sound.one(t)
				gone.want(t, live, nil)
				if ctx.Err() != nil {
					t.Error("not withdrawn while the broken registry is waited for")
				}
				wantTrouble(t, "Close", <-closed, broken)

				members[n].Heal()
				if got := journals[n].now(t); len(got.Instances) != 0 {
					t.Errorf("%s in the registry that was away; want nothing announced again", got.told())
				}
			})
		})
	}
}

func TestCompositeClosedMemberDoesNotHinderTheOther(t *testing.T) {
	registering(t, func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, journals [2]*journal) {
		members[0].Close()
		journals[1].take()
		r := announce(t, c, valid())
		registered := journals[1].one(t)
		registered.want(t, live, nil, "7f3a")
		if s := r.State(); s.Registered || s.Unreachable || s.Reason != "registry a: discovery: closed" {
			t.Errorf("State() = %+v; want it not registered, because a is closed", s)
		}
		for what, call := range map[string]func(context.Context) error{
			"Wait":   r.Wait,
			"Drain":  r.Drain,
			"Update": func(context.Context) error { return r.Update(valid()) },
		} {
			if err := call(t.Context()); !errors.Is(err, discovery.ErrClosed) || err.Error() != "registry a: discovery: closed" {
				t.Errorf("%s: error %v; want that a is closed", what, err)
			}
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close: error %v; there is nothing left to withdraw", err)
		}

		members[1].Close()
		if _, err := c.Register(t.Context(), valid()); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Register when all members are closed: error %v, want ErrClosed", err)
		}
	})
}

// What one registry refuses is in none: the composite withdraws it, or changes
// it back.
func TestCompositeRefusesEverywhereWhatOneMemberRefuses(t *testing.T) {
	registering(t, func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, journals [2]*journal) {
		register(t, members[1], "7f3a")
		_, err := c.Register(t.Context(), valid())
		wantFieldError(t, err, "Instance.ID", "7f3a")
		if !strings.HasPrefix(err.Error(), "registry b: ") {
			t.Errorf("error %v does not say which registry it was", err)
		}
		withdrawn := journals[0].now(t)
		withdrawn.want(t, live, nil)
		still := journals[1].now(t)
		still.want(t, live, nil, "7f3a")
	})
}

// picky is a memory that finds an odd weight bad, as a registry with limits of
// its own might.
type picky struct{ *discovery.Memory }

type pickyRegistration struct{ discovery.Registration }

func (p picky) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	r, err := p.Memory.Register(ctx, i)
	return pickyRegistration{r}, err
}

func (r pickyRegistration) Update(i discovery.Instance) error {
	if i.Weight%2 == 1 {
		return &discovery.FieldError{Field: "Instance.Weight", Value: i.Weight, Allowed: "an even number"}
	}
	return r.Registration.Update(i)
}

func TestCompositeUpdatesEverywhereOrNowhere(t *testing.T) {
	a, b := new(discovery.Memory), new(discovery.Memory)
	c := composite(t, discovery.Merge, a, picky{b})
	r := announce(t, c, valid())
	i := valid()
	i.Weight = 7
	wantFieldError(t, r.Update(i), "Instance.Weight", 7)
	for name, m := range map[string]*discovery.Memory{"a": a, "b": b} {
		if s, _ := latest(t, m, "orders"); s.Instances[0].Weight != discovery.DefaultWeight {
			t.Errorf("%s holds weight %d after a refused update", name, s.Instances[0].Weight)
		}
	}
	if got := r.Instance().Weight; got != discovery.DefaultWeight {
		t.Errorf("Instance() has weight %d after a refused update", got)
	}
}

func TestCompositeStateSaysSinceWhen(t *testing.T) {
	registering(t, func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, _ [2]*journal) {
		members[0].Fail(errAway)
		members[1].Fail(errLost)
		r := announce(t, c, valid())
		asked := time.Now()
		time.Sleep(time.Minute)
		members[1].Heal()
		want := func(registered bool, since time.Time, reasons ...string) {
			t.Helper()
			if s := r.State(); s.Registered != registered || !s.Since.Equal(since) || s.Reason != strings.Join(reasons, "; ") {
				t.Errorf("State() = %+v; want registered %t since %v, reason %q", s, registered, since, reasons)
			}
		}
		want(false, asked, "registry a: the registry is away")
		time.Sleep(time.Minute)
		members[0].Heal()
		want(true, time.Now())
		seen := time.Now()
		time.Sleep(time.Minute)
		want(true, seen)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(false, time.Now(), "registry a: closed", "registry b: closed")
	})
}

func TestCompositeCloseWithdrawsWhatItRegistered(t *testing.T) {
	registering(t, func(t *testing.T, c *discovery.Composite, members [2]*discovery.Memory, journals [2]*journal) {
		announce(t, c, valid())
		register(t, members[1], "other")
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		first, second := journals[0].now(t), journals[1].now(t)
		first.want(t, live, nil)
		second.want(t, live, nil, "other")
	})
}

// gate is a memory that notices when two updates are on their way at once.
type gate struct {
	*discovery.Memory
	inside, most atomic.Int64
}

type gatedRegistration struct {
	discovery.Registration
	*gate
}

func (g *gate) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	r, err := g.Memory.Register(ctx, i)
	return gatedRegistration{r, g}, err
}

func (r gatedRegistration) Update(i discovery.Instance) error {
	if now := r.inside.Add(1); now > r.most.Load() {
		r.most.Store(now)
	}
	defer r.inside.Add(-1)
	runtime.Gosched()
	return r.Registration.Update(i)
}

// If updates overtook one another, the members could end with different ones.
func TestCompositeUpdatesDoNotOvertake(t *testing.T) {
	a, b := new(discovery.Memory), &gate{Memory: new(discovery.Memory)}
	r := announce(t, composite(t, discovery.Merge, a, b), valid())
	var updating sync.WaitGroup
	for n := range 8 {
		updating.Go(func() {
			for k := range 50 {
				i := valid()
				i.Weight = 1 + 100*n + k
				if err := r.Update(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	updating.Wait()
	if most := b.most.Load(); most != 1 {
		t.Errorf("%d updates were on their way at once", most)
	}
	first, _ := latest(t, a, "orders")
	second, _ := latest(t, b, "orders")
	if x, y := first.Instances[0].Weight, second.Instances[0].Weight; x != y {
		t.Errorf("the members end with weights %d and %d", x, y)
	}
}

// stated is a registrar that says one thing of all its registrations.
type stated struct {
	discovery.Static
	state discovery.RegistrationState
}

type statedRegistration struct {
	discovery.Registration
	state discovery.RegistrationState
}

func (s *stated) Register(context.Context, discovery.Instance) (discovery.Registration, error) {
	return statedRegistration{state: s.state}, nil
}

func (r statedRegistration) State() discovery.RegistrationState { return r.state }
func (r statedRegistration) Close(context.Context) error        { return nil }

func TestCompositeStateIsThatOfAll(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	type state = discovery.RegistrationState
	for _, row := range []struct {
		name       string
		a, b, want state
	}{
		{"SinceTheLastGotIt", state{Registered: true, Since: early}, state{Registered: true, Since: late}, state{Registered: true, Since: late}},
		{"SinceTheFirstLostIt", state{Since: late, Reason: "x"}, state{Since: early, Reason: "y"}, state{Since: early, Reason: "registry a: x; registry b: y"}},
		{"SinceOneLostIt", state{Since: early, Reason: "x"}, state{Registered: true, Since: late}, state{Since: early, Reason: "registry a: x"}},
		{"AnnouncedInBoth", state{Registered: true, Announced: true}, state{Registered: true, Announced: true}, state{Registered: true, Announced: true}},
		{"NeverAnnouncedInTheSecond", state{Registered: true, Announced: true}, state{Unreachable: true, Reason: "y"}, state{Unreachable: true, Reason: "registry b: y"}},
		{"AnnouncedAndUnreachableInOne", state{Registered: true, Announced: true}, state{Announced: true, Unreachable: true, Reason: "y"}, state{Announced: true, Unreachable: true, Reason: "registry b: y"}},
		{"UnreachableInOneAndMissingInTheOther", state{Announced: true, Reason: "x"}, state{Announced: true, Unreachable: true, Reason: "y"}, state{Announced: true, Reason: "registry a: x; registry b: y"}},
		{"DrainingInTheFirst", state{Registered: true, Draining: true}, state{Registered: true}, state{Registered: true, Draining: true}},
		{"DrainingInTheSecond", state{Registered: true}, state{Registered: true, Draining: true}, state{Registered: true, Draining: true}},
		{"RepairsAreAddedUp", state{Registered: true, Repairs: 2}, state{Registered: true, Repairs: 3}, state{Registered: true, Repairs: 5}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, s := range []*state{&row.a, &row.b, &row.want} {
				s.Service, s.ID = "orders", "7f3a"
			}
			r := announce(t, composite(t, discovery.Prefer, &stated{state: row.a}, &stated{state: row.b}), valid())
			if got := r.State(); got != row.want {
				t.Errorf("State() = %+v, want %+v", got, row.want)
			}
		})
	}
}
