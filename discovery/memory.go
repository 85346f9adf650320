package discovery

import (
	"context"
	"iter"
	"sync"
	"time"
)

// Memory is a [Registry] and a [Registrar] within one process, for tests and
// for programs that are a whole system by themselves. The zero value is ready
// for use; it must not be copied. It is safe for concurrent use.
//
// It starts neither goroutines nor timers, so it works in a testing/synctest
// bubble, provided that it was first used there. Fail and Heal make it a
// registry that cannot be reached for a while.
type Memory struct {
	mu       sync.Mutex                // guards all below
	services map[string]*memoryService // every one ever named
	revision int64                     // number of changes so far
	trouble  error                     // while there is some, nothing gets through
	closed   bool                      // for good; trouble is then ErrClosed
}

// memoryService is one service of a Memory.
type memoryService struct {
	name    string
	feed    feed
	records map[string]*memoryRegistration // by ID: announced, not withdrawn; guarded by Memory.mu
}

// Watch implements [Registry].
func (m *Memory) Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	if err := ValidateService(service); err != nil {
		return refuse(service, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serviceLocked(service).feed.watch(ctx)
}

// Register implements [Registrar]. An ID that the service already has is
// refused with a [*FieldError].
func (m *Memory) Register(_ context.Context, instance Instance) (Registration, error) {
	now := time.Now()
	instance = instance.Normalize(now)
	if err := instance.Validate(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	s := m.serviceLocked(instance.Service)
	if s.records[instance.ID] != nil {
		return nil, &FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: "an ID that " + s.name + " does not have yet"}
	}
	r := &memoryRegistration{memory: m, service: s, instance: &instance, since: now}
	s.records[instance.ID] = r
	r.revision = m.changedLocked(s)
	return r, nil
}

// Local reports true: all of it happens in this process.
func (m *Memory) Local() bool { return true }

// Fail cuts everybody off from the registry, as if its server had died of err.
// Watchers are told err, with the last good set, which is Stale, or with a Cold
// one where nobody had asked before. What is registered, updated, drained or
// closed from now on does not get through before Heal. A nil err heals.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.trouble = err
		m.publishAllLocked()
	}
}

// Heal ends what Fail began: watchers are given the current sets.
func (m *Memory) Heal() { m.Fail(nil) }

// Close withdraws all registrations and ends all watches with [ErrClosed].
// There is nothing to wait for. A second Close does nothing.
func (m *Memory) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.trouble, m.closed = ErrClosed, true
	m.publishAllLocked()
	now := time.Now()
	for _, s := range m.services {
		for _, r := range s.records {
			r.withdrawLocked(now)
		}
	}
}

// serviceLocked returns a service that has been published.
func (m *Memory) serviceLocked(name string) *memoryService {
	if s := m.services[name]; s != nil {
		return s
	}
	if m.services == nil {
		m.services = map[string]*memoryService{}
	}
	s := &memoryService{name: name, records: map[string]*memoryRegistration{}}
	m.services[name] = s
	m.publishLocked(s)
	return s
}

// changedLocked takes note of a change to s, to be seen by others at once or
// when the trouble is over, and returns the revision that it will be part of.
func (m *Memory) changedLocked(s *memoryService) int64 {
	m.revision++
	if m.trouble == nil {
		m.publishLocked(s)
	}
	return m.revision
}

func (m *Memory) publishAllLocked() {
	for _, s := range m.services {
		m.publishLocked(s)
	}
}

func (m *Memory) publishLocked(s *memoryService) {
	if m.trouble != nil {
		s.feed.fail(s.name, time.Now(), m.trouble)
		return
	}
	now := time.Now()
	instances := make([]*Instance, 0, len(s.records))
	for _, r := range s.records {
		instances = append(instances, r.instance)
		r.seenLocked(true, now)
	}
	Sort(instances)
	s.feed.publish(Snapshot{Service: s.name, Revision: m.revision, State: Live, AsOf: now, Instances: instances}, nil)
}
