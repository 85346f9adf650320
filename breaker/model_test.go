package breaker_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// model is a breaker that remembers every call since the last change and counts
// them anew whenever it is asked, in integers.
type model struct {
	failureRate, slowRate int // in hundredths
	config                breaker.Config

	state   breaker.State
	stay    int // how many changes there were
	since   time.Duration
	ended   []ended
	probes  []*modelCall // that hold a place
	success int          // in the half-open state
}

type ended struct {
	at           time.Duration
	failed, slow bool
}

type modelCall struct {
	stay    int
	began   time.Duration
	expired bool
	done    bool
}

func (m *model) counts(now time.Duration) (c breaker.Counts) {
	part := m.config.Window / 10
	for _, e := range m.ended {
		if e.failed {
			c.ConsecutiveFailures++
		} else {
			c.ConsecutiveFailures = 0
		}
		if e.at/part <= now/part-10 {
			continue
		}
		c.Requests++
		if e.failed {
			c.Failures++
		}
		if e.slow {
			c.Slow++
		}
	}
	return c
}

func (m *model) become(s breaker.State, now time.Duration) {
	m.state, m.since = s, now
	m.stay++
	m.ended, m.probes, m.success = nil, nil, 0
}

func (m *model) allow(now time.Duration) (*modelCall, bool) {
	if m.state == breaker.Open {
		if now <= m.since+m.config.OpenFor {
			return nil, false
		}
		m.become(breaker.HalfOpen, now)
	}
	call := &modelCall{stay: m.stay, began: now}
	if m.state == breaker.Closed {
		return call, true
	}
	if len(m.probes) == m.config.HalfOpenRequests {
		m.probes = slices.DeleteFunc(m.probes, func(c *modelCall) bool {
			c.expired = !c.done && now-c.began >= m.config.ProbeTimeout
			return c.expired
		})
	}
	if len(m.probes) == m.config.HalfOpenRequests {
		return nil, false
	}
	m.probes = append(m.probes, call)
	return call, true
}

func (m *model) done(c *modelCall, o breaker.Outcome, took, now time.Duration) {
	if c.stay != m.stay {
		return
	}
	c.done = true
	if o == neutral {
		m.probes = slices.DeleteFunc(m.probes, func(p *modelCall) bool { return p == c })
		return
	}
	slow := m.config.SlowCallDuration > 0 && took > m.config.SlowCallDuration
	m.ended = append(m.ended, ended{now, o == failure, slow})
	if o == success && !slow {
		if m.success++; m.state == breaker.HalfOpen && m.success == m.config.HalfOpenRequests {
			m.become(breaker.Closed, now)
		}
		return
	}
	if m.state == breaker.HalfOpen {
		m.become(breaker.Open, now)
		return
	}
	n, row := m.counts(now), m.config.ConsecutiveFailures
	enough := n.Requests >= m.config.MinRequests
	if row > 0 && n.ConsecutiveFailures >= row || enough && (100*n.Failures >= m.failureRate*n.Requests || 100*n.Slow >= m.slowRate*n.Requests) {
		m.become(breaker.Open, now)
	}
}

// FuzzBreaker holds a breaker beside the model. The first bytes are the Config,
// every other one is a step: time passes, calls begin, one that is outstanding
// ends.
func FuzzBreaker(f *testing.F) {
	bits := rand.New(rand.NewPCG(7, 24))
	for range 60 {
		steps := make([]byte, 1500)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) < 8 {
			return
		}
		synctest.Test(t, func(t *testing.T) { compare(t, steps[:8], steps[8:min(len(steps), 3000)]) })
	})
}

func compare(t *testing.T, head, steps []byte) {
	m := &model{failureRate: 1 + int(head[0])%100, slowRate: 1 + int(head[1])%100}
	m.config = breaker.Config{
		Window:              time.Duration(1+head[2]%10) * 100 * time.Millisecond,
		MinRequests:         1 + int(head[3])%12,
		FailureRate:         float64(m.failureRate) / 100,
		ConsecutiveFailures: int(head[4]) % 8,
		SlowCallDuration:    50 * time.Millisecond,
		SlowCallRate:        float64(m.slowRate) / 100,
		OpenFor:             time.Duration(1+head[5]%9) * 50 * time.Millisecond,
		HalfOpenRequests:    1 + int(head[6])%4,
		ProbeTimeout:        time.Duration(1+head[7]%9) * 10 * time.Millisecond,
	}
	b := newBreaker(t, m.config)
	began := time.Now()
	type pair struct {
		ticket breaker.Ticket
		model  *modelCall
	}
	var out []pair
	allow := func() {
		now := time.Since(began)
		ticket, err := b.Allow()
		call, ok := m.allow(now)
		if ok != (err == nil) || err != nil && !errors.Is(err, breaker.ErrOpen) {
			t.Fatalf("at %v: error %v, the model lets it through: %v", now, err, ok)
		}
		if ok {
			out = append(out, pair{ticket, call})
		}
	}
	check := func() {
		now := time.Since(began)
		if got, want := b.Counts(), m.counts(now); got != want || b.State() != m.state {
			t.Fatalf("at %v: %v with %+v, want %v with %+v", now, b.State(), got, m.state, want)
		}
		unexpired := 0
		for _, p := range out {
			if m.state == breaker.HalfOpen && p.model.stay == m.stay && now-p.model.began < m.config.ProbeTimeout {
				unexpired++
			}
		}
		if unexpired > m.config.HalfOpenRequests {
			t.Fatalf("at %v: %d probes are out, allowed are %d", now, unexpired, m.config.HalfOpenRequests)
		}
	}
	for _, step := range steps {
		switch arg := int(step >> 3); step & 7 {
		case 0:
			time.Sleep([...]time.Duration{1, time.Millisecond, 10 * time.Millisecond, 17 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 450 * time.Millisecond, 2 * time.Second}[arg%8])
		case 1, 2, 3:
			allow()
		default:
			if len(out) == 0 {
				continue
			}
			i := arg % len(out)
			p := out[i]
			out = slices.Delete(out, i, i+1)
			outcome := [...]breaker.Outcome{success, success, failure, neutral}[step&3]
			took := time.Duration(arg%3) * 30 * time.Millisecond // the last is slow
			p.ticket.DoneAfter(outcome, took)
			m.done(p.model, outcome, took, time.Since(began))
		}
		check()
	}
	// Whatever happened and is still out: it closes if calls succeed from now on.
	time.Sleep(time.Hour)
	for range m.config.HalfOpenRequests {
		end(t, b, success)
	}
	wantState(t, b, breaker.Closed)
}
