package discoverytest_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/discovery"
)

func brokenRegistries() []broken {
	return []broken{
		{
			name:  "first set in instalments",
			fails: []string{"Registry/FirstSnapshotIsComplete"},
			registry: func(m *discovery.Memory) discovery.Registry {
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					return func(yield func(discovery.Snapshot, error) bool) {
						began := false
						for s, err := range m.Watch(ctx, service) {
							// Three, so as to keep to the words of the other promises.
							if part := s; !began && len(s.Instances) == 3 {
								part.Instances = s.Instances[:2]
								if !yield(part, err) {
									return
								}
							}
							began = true
							if !yield(s, err) {
								return
							}
						}
					}
				})
			},
		},
		{
			name:  "silent about an empty service",
			fails: []string{"Registry/NoInstancesIsKnowledge", "Change/AddArrives"},
			registry: each(func(yields int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				return s, yields > 0 || len(s.Instances) > 0
			}),
		},
		{
			name:  "forgets the boot id",
			fails: []string{"Registry/InstanceArrivesWhole"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				return edited(s, func(i *discovery.Instance) { i.BootID = "" }), true
			}),
		},
		{
			name:  "unsorted",
			fails: []string{"Registry/SortedWithoutDuplicates"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				s.Instances = slices.Clone(s.Instances)
				slices.Reverse(s.Instances)
				return s, true
			}),
		},
		{
			name:  "duplicates",
			fails: []string{"Registry/SortedWithoutDuplicates"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				s.Instances = slices.Concat(s.Instances, s.Instances)
				discovery.Sort(s.Instances)
				return s, true
			}),
		},
		{
			name:     "lists by prefix",
			fails:    []string{"Registry/ServicesAreApart"},
			registry: leaking(func(yields int) bool { return yields == 0 }),
		},
		{
			name:     "watches by prefix",
			fails:    []string{"Change/ServicesStayApart"},
			registry: leaking(func(yields int) bool { return yields > 0 }),
		},
		{
			name:  "takes any name",
			fails: []string{"Registry/BadServiceNameEndsWatch"},
			registry: func(m *discovery.Memory) discovery.Registry {
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					if discovery.ValidateService(service) != nil {
						service = "nobody"
					}
					return m.Watch(ctx, service)
				})
			},
		},
		{
			name:  "an error of its own for a bad name",
			fails: []string{"Registry/BadServiceNameEndsWatch"},
			registry: watching(func(_ context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				for s, err := range inner {
					if err != nil {
						err = errors.New("no such service")
					}
					if !yield(s, err) {
						return
					}
				}
			}),
		},
		{
			name:  "deaf to cancellation",
			fails: []string{"Registry/CancelEndsWatch", "Registry/EndedWatchLeavesNoGoroutine"},
			registry: func(m *discovery.Memory) discovery.Registry {
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					return m.Watch(context.WithoutCancel(ctx), service)
				})
			},
		},
		{
			name:  "reports the caller's cancellation",
			fails: []string{"Registry/CancelEndsWatch"},
			registry: watching(func(ctx context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				for s, err := range inner {
					if !yield(s, err) {
						return
					}
				}
				if err := ctx.Err(); err != nil {
					yield(discovery.Snapshot{}, err)
				}
			}),
		},
		{
			name:  "goes on after the loop was left",
			fails: []string{"Registry/LeavingTheLoopEndsWatch", "Registry/EndedWatchLeavesNoGoroutine"},
			registry: watching(func(ctx context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				for s, err := range inner {
					if !yield(s, err) && err == nil {
						<-ctx.Done()
					}
				}
			}),
		},
		{
			name:  "leaks a goroutine per watch",
			fails: []string{"Registry/EndedWatchLeavesNoGoroutine"},
			registry: watching(func(_ context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				go func() { select {} }()
				inner(yield)
			}),
		},
		{
			name:  "asks only once about an empty service",
			fails: []string{"Change/AddArrives"},
			registry: watching(func(ctx context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				began := false
				for s, err := range inner {
					if !yield(s, err) {
						return
					}
					if !began && err == nil && len(s.Instances) == 0 {
						<-ctx.Done()
					}
					began = true
				}
			}),
		},
		{
			name:  "compares only ids",
			fails: []string{"Change/UpdateArrives", "Change/DrainingArrives", "Registrar/RegistrationUpdateArrives", "Registrar/DrainArrives"},
			registry: each(func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool) {
				return s, yields == 0 || !slices.Equal(ids(before), ids(s))
			}),
		},
		{
			name:  "hides the draining",
			fails: []string{"Change/DrainingArrives", "Registrar/DrainArrives"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				s.Instances = slices.DeleteFunc(slices.Clone(s.Instances), func(i *discovery.Instance) bool { return i.Draining })
				return s, true
			}),
		},
		{
			name:  "loses deletes",
			fails: []string{"Change/RemoveArrives", "Registrar/RegistrationsAreIndependent"},
			registry: each(func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool) {
				fewer := yields > 0 && 0 < len(s.Instances) && len(s.Instances) < len(before.Instances)
				return s, !fewer
			}),
		},
		{
			name:  "takes an empty list for an accident",
			fails: []string{"Change/LastRemoveArrives", "Registrar/CloseWithdraws"},
			registry: each(func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool) {
				return s, yields == 0 || len(s.Instances) > 0 || len(before.Instances) == 0
			}),
		},
		{
			name:  "deltas",
			fails: []string{"Change/EverySnapshotIsComplete"},
			registry: each(func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool) {
				isNew := func(i *discovery.Instance) bool {
					return !slices.ContainsFunc(before.Instances, func(b *discovery.Instance) bool {
						return b.ID == i.ID && b.Weight == i.Weight && b.Version == i.Version && b.Draining == i.Draining && maps.Equal(b.Meta, i.Meta)
					})
				}
				if yields > 0 && slices.ContainsFunc(s.Instances, isNew) {
					s.Instances = slices.DeleteFunc(slices.Clone(s.Instances), func(i *discovery.Instance) bool { return !isNew(i) })
				}
				return s, true
			}),
		},
		{
			name:  "reuses the backing array",
			fails: []string{"Change/SnapshotsAreImmutable"},
			registry: watching(func(_ context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				array := make([]*discovery.Instance, 0, 64)
				for s, err := range inner {
					array = append(array[:0], s.Instances...)
					s.Instances = array
					if !yield(s, err) {
						return
					}
				}
			}),
		},
		{
			name:  "edits metadata in place",
			fails: []string{"Change/SnapshotsAreImmutable"},
			registry: watching(func(_ context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
				meta := map[string]map[string]string{}
				for s, err := range inner {
					s = edited(s, func(i *discovery.Instance) {
						if i.Meta == nil {
							return
						}
						if meta[i.ID] == nil {
							meta[i.ID] = map[string]string{}
						}
						maps.Copy(meta[i.ID], i.Meta)
						i.Meta = meta[i.ID]
					})
					if !yield(s, err) {
						return
					}
				}
			}),
		},
		{
			name:  "revision goes back",
			fails: []string{"Change/RevisionGrows"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				s.Revision = -s.Revision
				return s, true
			}),
		},
		{
			name:  "revision stands still",
			fails: []string{"Change/RevisionGrows"},
			registry: each(func(_ int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				s.Revision = 1
				return s, true
			}),
		},
		{
			name:  "begins with a set from its cache",
			fails: []string{"Change/LateWatchGetsCurrentSet"},
			registry: func(m *discovery.Memory) discovery.Registry {
				var cache sync.Map // of the first snapshot of each service
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					return func(yield func(discovery.Snapshot, error) bool) {
						began := false
						for s, err := range m.Watch(ctx, service) {
							if old, ok := cache.LoadOrStore(service, s); !began && ok {
								if !yield(old.(discovery.Snapshot), err) {
									return
								}
							}
							began = true
							if !yield(s, err) {
								return
							}
						}
					}
				})
			},
		},
		{
			name:  "one who leaves takes the others along",
			fails: []string{"Change/WatchesAreIndependent"},
			registry: func(m *discovery.Memory) discovery.Registry {
				var mu sync.Mutex
				var others []context.CancelFunc // guarded by mu
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					return func(yield func(discovery.Snapshot, error) bool) {
						ctx, cancel := context.WithCancel(ctx)
						mu.Lock()
						others = append(others, cancel)
						mu.Unlock()
						defer func() {
							mu.Lock()
							defer mu.Unlock()
							for _, cancel := range others {
								cancel()
							}
							others = nil
						}()
						m.Watch(ctx, service)(yield)
					}
				})
			},
		},
		{
			name:  "serves four of a service at a time",
			fails: []string{"Change/ConcurrentUse"},
			registry: func(m *discovery.Memory) discovery.Registry {
				var mu sync.Mutex
				slots := map[string]chan struct{}{} // guarded by mu
				return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
					return func(yield func(discovery.Snapshot, error) bool) {
						mu.Lock()
						if slots[service] == nil {
							slots[service] = make(chan struct{}, 4)
						}
						slot := slots[service]
						mu.Unlock()
						select {
						case slot <- struct{}{}:
							defer func() { <-slot }()
							m.Watch(ctx, service)(yield)
						case <-ctx.Done():
						}
					}
				})
			},
		},
		{
			name:  "drops what a slow consumer missed",
			fails: []string{"Change/SlowConsumerGetsLastSet"},
			registry: each(func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool) {
				return s, yields == 0 || s.Revision-before.Revision < 50
			}),
		},
	}
}
