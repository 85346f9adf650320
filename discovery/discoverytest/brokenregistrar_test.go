package discoverytest_test

import (
	"context"
	"errors"
	"sync"

	"github.com/fairlead-go/fairlead/discovery"
)

func brokenRegistrars() []broken {
	return []broken{
		{
			name:  "forgets the zone",
			fails: []string{"Registrar/RegisterArrives"},
			registrar: before(func(i *discovery.Instance) error {
				i.Zone = ""
				return nil
			}),
		},
		{
			name:  "a default weight of its own",
			fails: []string{"Registrar/RegisterFillsIn"},
			registrar: before(func(i *discovery.Instance) error {
				if i.Weight == 0 {
					i.Weight = 1
				}
				return nil
			}),
		},
		{
			name:  "mends a bad instance",
			fails: []string{"Registrar/BadInstanceIsRefused"},
			registrar: before(func(i *discovery.Instance) error {
				i.Weight = max(i.Weight, 0)
				return nil
			}),
		},
		{
			name:  "plain errors",
			fails: []string{"Registrar/BadInstanceIsRefused"},
			registrar: before(func(i *discovery.Instance) error {
				if err := i.Normalize(i.StartedAt).Validate(); err != nil {
					return errors.New(err.Error())
				}
				return nil
			}),
		},
		{
			name:  "complains after the deed",
			fails: []string{"Registrar/BadInstanceIsRefused"},
			registrar: func(m *discovery.Memory) discovery.Registrar {
				return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
					r, err := m.Register(ctx, i)
					if err != nil {
						i.Addr, i.Weight, i.Meta, i.Endpoints = "192.0.2.1:8080", 1, nil, nil
						m.Register(ctx, i)
					}
					return r, err
				})
			},
		},
		{
			name:  "the later one has the id",
			fails: []string{"Registrar/TakenIDIsRefused"},
			registrar: func(m *discovery.Memory) discovery.Registrar {
				var mu sync.Mutex
				held := map[string]discovery.Registration{} // guarded by mu
				return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
					mu.Lock()
					defer mu.Unlock()
					if r := held[i.Service+"/"+i.ID]; r != nil {
						r.Close(ctx)
					}
					r, err := m.Register(ctx, i)
					if err != nil {
						return nil, err
					}
					held[i.Service+"/"+i.ID] = r
					return r, nil
				})
			},
		},
		{
			name:  "closing one closes all",
			fails: []string{"Registrar/RegistrationsAreIndependent"},
			registrar: func(m *discovery.Memory) discovery.Registrar {
				var mu sync.Mutex
				var all []discovery.Registration
				return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
					r, err := m.Register(ctx, i)
					if err != nil {
						return nil, err
					}
					mu.Lock()
					all = append(all, r)
					mu.Unlock()
					return registration{Registration: r, close: func(ctx context.Context) (err error) {
						mu.Lock()
						defer mu.Unlock()
						for _, r := range all {
							err = errors.Join(err, r.Close(ctx))
						}
						return err
					}}, nil
				})
			},
		},
		{
			name:  "knows no time",
			fails: []string{"Registrar/StateTellsRegistered"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{state: func() discovery.RegistrationState {
					return discovery.RegistrationState{Service: r.State().Service, ID: r.State().ID, Registered: true, Draining: r.State().Draining}
				}}
			}),
		},
		{
			name:  "update does nothing",
			fails: []string{"Registrar/RegistrationUpdateArrives"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{update: func(i discovery.Instance) error {
					if i.Validate() == nil && i.ID == r.Instance().ID && i.Service == r.Instance().Service && !withdrawn(r) {
						return nil
					}
					return r.Update(i)
				}}
			}),
		},
		{
			name:  "ignores a bad update",
			fails: []string{"Registrar/BadUpdateIsRefused"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{update: func(i discovery.Instance) error {
					if i.Validate() != nil {
						return nil
					}
					return r.Update(i)
				}}
			}),
		},
		{
			name:  "ignores another identity",
			fails: []string{"Registrar/UpdateKeepsIdentity"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{update: func(i discovery.Instance) error {
					if i.Validate() == nil {
						i.ID, i.Service = r.Instance().ID, r.Instance().Service
					}
					return r.Update(i)
				}}
			}),
		},
		{
			name:  "drain does nothing",
			fails: []string{"Registrar/DrainArrives"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{drain: r.Wait}
			}),
		},
		{
			name: "close does nothing",
			fails: []string{
				"Registrar/CloseWithdraws", "Registrar/RegistrationsAreIndependent", "Registrar/StateTellsRegistered",
				"Registrar/ClosedIsClosed", "Registrar/RegisterAgainAfterClose",
			},
			registrar: wrapped(func(discovery.Registration) registration {
				return registration{close: func(context.Context) error { return nil }}
			}),
		},
		{
			name:  "second close is an error",
			fails: []string{"Registrar/CloseTwice"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{close: func(ctx context.Context) error {
					if withdrawn(r) {
						return discovery.ErrClosed
					}
					return r.Close(ctx)
				}}
			}),
		},
		{
			name:  "update after close is no error",
			fails: []string{"Registrar/ClosedIsClosed"},
			registrar: wrapped(func(r discovery.Registration) registration {
				return registration{update: func(i discovery.Instance) error {
					if err := r.Update(i); !errors.Is(err, discovery.ErrClosed) {
						return err
					}
					return nil
				}}
			}),
		},
		{
			name:  "once closed, closed for ever",
			fails: []string{"Registrar/RegisterAgainAfterClose"},
			registrar: func(m *discovery.Memory) discovery.Registrar {
				var closed sync.Map // of keys
				return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
					key := i.Service + "/" + i.ID
					if _, used := closed.Load(key); used {
						return nil, &discovery.FieldError{Field: "Instance.ID", Value: i.ID, Allowed: "an ID that was never used"}
					}
					r, err := m.Register(ctx, i)
					if err != nil {
						return nil, err
					}
					return registration{Registration: r, close: func(ctx context.Context) error {
						closed.Store(key, true)
						return r.Close(ctx)
					}}, nil
				})
			},
		},
	}
}

// registerFunc is a registrar that is a function.
type registerFunc func(context.Context, discovery.Instance) (discovery.Registration, error)

func (f registerFunc) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	return f(ctx, i)
}

// before does something to each instance before it is registered.
func before(do func(*discovery.Instance) error) func(*discovery.Memory) discovery.Registrar {
	return func(m *discovery.Memory) discovery.Registrar {
		return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
			if err := do(&i); err != nil {
				return nil, err
			}
			return m.Register(ctx, i)
		})
	}
}

// wrapped replaces methods of each registration.
func wrapped(replace func(discovery.Registration) registration) func(*discovery.Memory) discovery.Registrar {
	return func(m *discovery.Memory) discovery.Registrar {
		return registerFunc(func(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
			sound, err := m.Register(ctx, i)
			if err != nil {
				return nil, err
			}
			r := replace(sound)
			r.Registration = sound
			return r, nil
		})
	}
}

func withdrawn(r discovery.Registration) bool { return !r.State().Registered }

// registration is the sound one, but for the methods that are not nil.
type registration struct {
	discovery.Registration
	state  func() discovery.RegistrationState
	update func(discovery.Instance) error
	drain  func(context.Context) error
	close  func(context.Context) error
}

func (r registration) State() discovery.RegistrationState {
	if r.state != nil {
		return r.state()
	}
	return r.Registration.State()
}

func (r registration) Update(i discovery.Instance) error {
	if r.update != nil {
		return r.update(i)
	}
	return r.Registration.Update(i)
}

func (r registration) Drain(ctx context.Context) error {
	if r.drain != nil {
		return r.drain(ctx)
	}
	return r.Registration.Drain(ctx)
}

func (r registration) Close(ctx context.Context) error {
	if r.close != nil {
		return r.close(ctx)
	}
	return r.Registration.Close(ctx)
}
