package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// never is when something is due that is not due.
const never = time.Duration(math.MaxInt64)

// What failed is tried again after pauses from firstPause on. No instance waits
// longer than longestPause for an etcd that is back.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 3 * time.Second
)

// tickTime is how long the supervisor sleeps at most while it holds something,
// so that it sees soon when it has slept longer.
const tickTime = 100 * time.Millisecond

// supervisor keeps keys in etcd under one lease. Its goroutine, run, alone
// talks to etcd, one call at a time, and always makes the most urgent of the
// calls that would bring what is nearer to what should be. So there is nothing
// to resume after a failure and no list of what to undo: whatever happened, the
// next round sees what is missing.
type supervisor struct {
	conn        conn // owned by run, then by close
	keys        keys
	ttl         time.Duration
	log         *slog.Logger
	incarnation string        // tells this process from others with its instance IDs
	wake        chan struct{} // holds a token when there may be something to do

	ctx     context.Context // of run
	stop    context.CancelFunc
	running sync.WaitGroup // run, once there is something to do

	pause *backoff.ExponentialBackOff // between calls for the lease; owned by run

	mu            sync.Mutex // guards all below, the holdings and the registrations
	started       bool       // run was
	closed        bool
	holdings      map[string]*holding      // by key
	registrations map[string]*registration // by key: those of the holdings that are instances
	presence      presence
	lease         clientv3.LeaseID // 0: none
	beat          time.Time        // when etcd last confirmed the lease
	due           time.Time        // when to see to the lease next
	trouble       error            // why that failed last; nil: it did not
	told          bool             // trouble was logged
	untold        []*holding       // those that may have changed since tell
	leases        int              // granted so far
	awake         time.Time        // when run was last seen to run
	left          error            // what close could not withdraw
}

// newSupervisor returns a supervisor that does nothing before there is
// something to hold. Its goroutine ends with close.
func newSupervisor(c conn, k keys, ttl time.Duration, caller string, log *slog.Logger) *supervisor {
	ctx, stop := context.WithCancel(context.Background())
	return &supervisor{
		conn:          c,
		keys:          k,
		ttl:           ttl,
		log:           log,
		incarnation:   discovery.NewID(),
		wake:          make(chan struct{}, 1),
		ctx:           ctx,
		stop:          stop,
		pause:         newBackoff(firstPause, longestPause),
		holdings:      map[string]*holding{},
		registrations: map[string]*registration{},
		presence:      presence{caller: caller, callees: map[string]*callee{}, rules: map[string]rulesReport{}, demands: map[string]demand{}},
	}
}

// add accepts an instance that is to be announced.
func (s *supervisor) add(instance discovery.Instance) (*registration, error) {
	value, err := encode(instance, s.incarnation)
	if err != nil {
		return nil, err
	}
	key := s.keys.instance(instance.Service, instance.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, discovery.ErrClosed
	}
	h := s.newHolding(key, value)
	h.contested = true
	if before := s.registrations[key]; before != nil && before.closing {
		// It is on its way out, and may be for as long as etcd is away. The new
		// record takes the place of the old one, so nothing of it is left.
		before.gone = true
		before.heldLocked(false, time.Now())
		before.changed.tell()
		h.seen = before.seen
	} else if before != nil {
		return nil, &discovery.FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: "an ID that " + instance.Service + " does not have yet"}
	}
	r := &registration{holding: h, supervisor: s, instance: instance}
	s.registrations[key] = r
	s.holdLocked(h)
	if s.presence.caller == "" {
		s.nameLocked(instance.Service)
	}
	return r, nil
}

func (s *supervisor) newHolding(key, value string) *holding {
	return &holding{key: key, value: value, since: time.Now(), pause: newBackoff(firstPause, longestPause)}
}

// holdLocked begins to keep h in etcd.
func (s *supervisor) holdLocked(h *holding) {
	s.holdings[h.key] = h
	if !s.started {
		s.started = true
		s.awake = time.Now()
		s.running.Go(func() { s.run(s.ctx) })
	}
	s.wakeUp()
}

func (s *supervisor) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *supervisor) run(ctx context.Context) {
	timer := time.NewTimer(never)
	defer timer.Stop()
	for ctx.Err() == nil {
		work, wait := s.next(time.Now())
		if wait <= 0 {
			work(ctx)
			if ctx.Err() == nil { // else it failed because it was told to stop
				s.tell()
			}
			s.wakeful(longestCall)
			continue
		}
		s.sleep(ctx, timer, wait)
	}
}

// sleep waits until something is due or wanted.
func (s *supervisor) sleep(ctx context.Context, timer *time.Timer, wait time.Duration) {
	for wait > 0 {
		tick := min(wait, tickTime)
		if wait == never {
			tick = never // there is nothing to watch over
		}
		timer.Reset(tick)
		select {
		case <-timer.C:
			wait -= tick
		case <-s.wake:
			wait = 0
		case <-ctx.Done():
			return
		}
		if tick != never && s.wakeful(tick) {
			return
		}
	}
}

// wakeful takes note that the supervisor runs. If it did not for much longer
// than it meant to, the process was stopped or the machine suspended, and etcd
// may have given up the lease meanwhile: nothing is claimed before it was asked.
func (s *supervisor) wakeful(meant time.Duration) (slept bool) {
	now := time.Now()
	s.mu.Lock()
	gap := age(s.awake, now)
	slept = s.lease != 0 && gap > meant+s.ttl/2
	if slept {
		s.doubtLocked(errSlept(gap), now)
		s.due = time.Time{}
		for _, h := range s.holdings {
			h.due = time.Time{}
		}
	}
	s.awake = now
	s.mu.Unlock()
	if slept {
		s.log.Warn("the process did not run; asking etcd whether it is still registered", "slept", gap)
	}
	return slept
}

// asleepLocked reports whether run has not run for so long that it would claim
// nothing if it did.
func (s *supervisor) asleepLocked() bool {
	return s.lease != 0 && age(s.awake, time.Now()) > longestCall+s.ttl/2
}

func errSlept(d time.Duration) error {
	return fmt.Errorf("the process did not run for %s, etcd is asked whether the lease still stands", d.Round(time.Millisecond))
}

// next returns the most urgent thing to do and how long it can wait. The lease
// comes first, since everything hangs on it. While it is in doubt nothing else
// is tried, so that one call tells whether etcd is back, and not one for each
// key.
func (s *supervisor) next(now time.Time) (work func(context.Context), wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == 0 {
		return s.nextWithoutLeaseLocked(now)
	}
	work, wait = s.heartbeat, s.due.Sub(now)
	if s.trouble != nil || wait <= 0 {
		return work, wait
	}
	var first *holding
	for _, h := range s.holdings {
		if w := h.due.Sub(now); w < wait {
			first, wait = h, w
		}
	}
	if first == nil || wait > 0 {
		return work, wait
	}
	t, batch := s.batchLocked(first, now)
	return func(ctx context.Context) { s.serve(ctx, t, batch) }, 0
}

// batchLocked returns holdings, first among them, that can be served together.
func (s *supervisor) batchLocked(first *holding, now time.Time) (task, []*holding) {
	t, batch := first.task(), []*holding{first}
	if first.alone {
		return t, batch
	}
	if t == toCheck {
		now = now.Add(checkAhead) // a look may come early, so that many are taken together
	}
	for _, h := range s.holdings {
		if h != first && !h.alone && h.task() == t && !h.due.After(now) {
			if batch = append(batch, h); len(batch) == batchSize {
				break
			}
		}
	}
	return t, batch
}

func (s *supervisor) nextWithoutLeaseLocked(now time.Time) (work func(context.Context), wait time.Duration) {
	var closing []*holding // they went with the lease, or were never there
	for _, h := range s.holdings {
		if h.closing {
			closing = append(closing, h)
		}
	}
	if len(closing) > 0 {
		return func(context.Context) { s.withdrawn(closing...) }, 0
	}
	if len(s.holdings) == 0 {
		return nil, never
	}
	return s.grant, s.due.Sub(now)
}

// changedLocked wakes who waits for h, and has it looked at by tell.
func (s *supervisor) changedLocked(h *holding) {
	h.changed.tell()
	s.untold = append(s.untold, h)
}

// tell logs what has changed since it was called last.
func (s *supervisor) tell() {
	var lines []func()
	s.mu.Lock()
	if trouble := s.trouble; s.told != (trouble != nil) {
		s.told = trouble != nil
		lease := leaseName(s.lease)
		if s.told {
			lines = append(lines, func() { s.log.Warn("lease is in doubt", "lease", lease, "error", trouble) })
		} else {
			lines = append(lines, func() { s.log.Info("lease is held", "lease", lease) })
		}
	}
	untold := s.untold
	s.untold = nil
	for _, h := range untold {
		if is := (outlook{held: h.held, troubled: h.trouble != nil}); is != h.told {
			h.told = is
			if line := s.lineLocked(h); line != nil {
				lines = append(lines, line)
			}
		}
	}
	s.mu.Unlock()
	for _, line := range lines { // not under the lock: a handler may ask for State
		line()
	}
}

func (s *supervisor) lineLocked(h *holding) func() {
	key, held, trouble, repairs := h.key, h.held, h.trouble, h.repairs
	switch {
	case trouble != nil && h.contested:
		return func() {
			s.log.Warn("instance is not announced as it should be", "key", key, "registered", held, "error", trouble)
		}
	case trouble != nil:
		return func() { s.log.Info("callers of a service cannot be shown in etcd", "key", key, "error", trouble) }
	case held && h.contested:
		return func() { s.log.Info("instance registered", "key", key, "repairs", repairs) }
	}
	return nil
}
