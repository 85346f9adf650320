package breaker

import (
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breaker lets calls through as long as they succeed. Make one with [New]. It is
// safe for concurrent use. It has no goroutine, save one while it has changes to
// report, and needs no closing.
type Breaker struct {
	// What every call needs comes first: of many breakers in turn, each line of memory
	// costs more than all that is reckoned.
	machine *gobreaker.TwoStepCircuitBreaker[struct{}]
	epoch   atomic.Uint64 // written under gobreaker's lock
	ended   atomic.Int64  // when one of the last calls did, which judge goes by
	mode    atomic.Uint32
	verdict Reason    // guarded by gobreaker's lock
	began   time.Time // what times are counted from
	window  window

	config    Config // its defaults written out
	name      string
	openUntil atomic.Int64 // written as epoch is, with every change to Open
	probes    probes
	changes   changes

	open, full, forced rejection

	opened, rejected, wouldReject atomic.Int64
}

// Option is about what a Config cannot say.
type Option func(*Breaker)

// OnChange has f told of every change of state, in their order. It is called from
// a goroutine of its own, never from a call: f may take its time, ask the breaker,
// and make calls. If f is so slow that 64 changes wait for it, further ones are
// dropped. If it panics, that is survived, and the third time within a minute it
// is not called any more. [Totals] counts both.
func OnChange(f func(Change)) Option {
	return func(b *Breaker) { b.changes.tell = f }
}

// New returns a breaker that is closed and in charge of itself. The name stands in
// errors and changes. The error names the bad field of the Config.
func New(name string, c Config, options ...Option) (*Breaker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.filled()
	b := &Breaker{config: c, name: name, began: time.Now()}
	b.window.part, b.window.slow = c.Window/parts, c.SlowCallDuration
	said := "circuit breaker "
	if name != "" {
		said += name + " "
	}
	b.open = rejection{said + "is open", gobreaker.ErrOpenState}
	b.full = rejection{said + "is half-open, and its probes are out", gobreaker.ErrTooManyRequests}
	b.forced = rejection{said + "is forced open", gobreaker.ErrOpenState}
	for _, o := range options {
		o(b)
	}
	b.machine = gobreaker.NewTwoStepCircuitBreaker[struct{}](b.settings())
	return b, nil
}

// Name returns what New was given.
func (b *Breaker) Name() string { return b.name }

// Config returns what New was given, with the defaults written out.
func (b *Breaker) Config() Config { return b.config }

// State returns what the last call that was let through or ended has made of it.
// To look changes nothing: a breaker whose OpenFor is over is Open until a call
// asks. Modes other than Automatic do not show in it.
func (b *Breaker) State() State { return b.at().state() }

// Rejecting reports whether Allow would reject for certain: the breaker is forced
// open, or open and OpenFor is not over. It is for choosing among several, each
// with a breaker of its own; who went by State instead would never call one that
// is open again, and so never let it close. Whether a half-open one has a place is
// for Allow to say.
func (b *Breaker) Rejecting() bool {
	switch b.Mode() {
	case Automatic:
		return b.at().state() == Open && b.resting()
	case ForcedOpen:
		return true
	}
	return false
}

// resting reports whether the last OpenFor is not over.
func (b *Breaker) resting() bool { return int64(b.now()) <= b.openUntil.Load() }

// Mode returns what [Breaker.SetMode] said last.
func (b *Breaker) Mode() Mode { return Mode(b.mode.Load()) }

// SetMode puts an operator in charge, or with Automatic the breaker itself. It
// holds from the next Allow on. Calls let through before still count when they
// end, and so does the state that the breaker had: an open one that was disabled
// and is Automatic again is open until OpenFor is over.
func (b *Breaker) SetMode(m Mode) { b.mode.Store(uint32(m)) }

// Counts returns what the window holds now. It takes a lock, for nanoseconds.
func (b *Breaker) Counts() Counts { return b.window.read(b.now()) }

// Totals is what a breaker has done since it was made.
type Totals struct {
	// Opened is how often it opened.
	Opened int64
	// Rejected is how many calls it did not let through.
	Rejected int64
	// WouldReject is how many it would not have, had it not been ObserveOnly.
	WouldReject int64
	// Unreported is how many changes OnChange was not told of, because it was too
	// slow or had panicked too often.
	Unreported int64
	// Panics is how often it panicked.
	Panics int64
}

// Totals returns the sums since New. They only grow.
func (b *Breaker) Totals() Totals {
	t := Totals{Opened: b.opened.Load(), Rejected: b.rejected.Load(), WouldReject: b.wouldReject.Load()}
	t.Unreported, t.Panics = b.changes.totals()
	return t
}

func (b *Breaker) at() epoch { return epoch(b.epoch.Load()) }

// now counts from New, by the monotonic clock.
func (b *Breaker) now() time.Duration { return time.Since(b.began) }
