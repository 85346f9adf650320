package faults_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// row is one fault: what is broken, for how long, and what must be true.
type row struct {
	number int    // in the matrix of faults
	fault  string // in words
	heavy  bool   // takes all there is of a small machine, and is played by itself before the others
	// setup starts everything up to the load; nil: etcd, ten instances and the
	// caller, all in health.
	setup func(s *scene)
	// inject breaks something, hold lets time pass (nil: an outage of the
	// scale's length), heal mends it (nil: nothing is to be mended).
	inject func(s *scene)
	hold   func(s *scene)
	heal   func(s *scene)
	// recovered waits until all is well again and says how long it may take.
	recovered func(s *scene)
	// check reads the history: what has to be true beside the rules that every
	// history keeps.
	check func(s *scene)
}

// play is the course of every row.
func (r row) play(s *scene) {
	if r.setup != nil {
		r.setup(s)
	} else {
		s.usual()
		s.call(s.via(s.callerLink))
	}
	s.wait(s.scale.warm)
	s.broken = time.Now()
	r.inject(s)
	if r.hold != nil {
		r.hold(s)
	} else {
		s.wait(s.scale.outage)
	}
	s.mended = time.Now()
	if r.heal != nil {
		r.heal(s)
	}
	if r.recovered != nil {
		r.recovered(s)
	}
	s.wait(s.scale.settle)
	s.stop()
	r.check(s)
}

func TestFaults(t *testing.T) {
	if *long {
		t.Run("full", func(t *testing.T) {
			for _, r := range rows {
				if r.number == 3 {
					newReport(t).play(t, r, full(), firstSeed())
				}
			}
		})
	}
	all := newReport(t)
	for _, r := range rows {
		if r.heavy {
			t.Run(r.name(), func(t *testing.T) { all.playAll(t, r) })
		}
	}
	if !*long {
		t.Parallel() // beside the other tests
	}
	for _, r := range rows {
		if !r.heavy {
			t.Run(r.name(), func(t *testing.T) { t.Parallel(); all.playAll(t, r) })
		}
	}
}

// playAll plays a row once, or with many seeds.
func (all *report) playAll(t *testing.T, r row) {
	if !*long {
		all.play(t, r, quick(), firstSeed())
		return
	}
	for n := range uint64(*seeds) {
		seed := firstSeed() + n
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			if !r.heavy {
				t.Parallel()
			}
			all.play(t, r, lengthy(), seed)
		})
	}
}

func (r row) name() string { return fmt.Sprintf("%02d %s", r.number, r.fault) }

// firstSeed is the same for the whole run.
var firstSeed = sync.OnceValue(func() uint64 {
	if *seed != 0 {
		return *seed
	}
	return 1 + rand.Uint64N(1_000_000)
})

// report adds up what was played.
type report struct {
	mu     sync.Mutex // guards all below
	total  line
	bySeed map[uint64]*line
}

// line is what a machine reads of one play.
type line struct {
	Row      int            `json:"row,omitempty"`
	Fault    string         `json:"fault,omitempty"`
	Seed     uint64         `json:"seed,omitempty"`
	Plays    int            `json:"plays"`
	Calls    int            `json:"calls"`
	Failed   int            `json:"failed"`
	Attempts int            `json:"attempts"`
	Broken   int            `json:"rulesBroken"`
	Lost     int            `json:"playsLost"` // plays in which anything was not as promised
	Figures  map[string]any `json:"figures,omitempty"`
}

// newReport returns a report that is told at the end of the test.
func newReport(t *testing.T) *report {
	r := &report{bySeed: map[uint64]*line{}}
	t.Cleanup(func() {
		for _, seed := range slices.Sorted(maps.Keys(r.bySeed)) {
			r.bySeed[seed].tell(t)
		}
		r.total.tell(t)
	})
	return r
}

func (l line) tell(t *testing.T) {
	text, err := json.Marshal(l)
	if err != nil {
		t.Error(err)
	}
	t.Logf("FAULTS %s", text)
}

// play plays a row and tells how it went.
func (all *report) play(t *testing.T, r row, size scale, seed uint64) {
	s := &scene{T: t, scale: size, random: rand.New(rand.NewPCG(seed, uint64(r.number)))}
	t.Cleanup(func() { all.add(s, r, seed) })
	t.Logf("row %d with -seed %d", r.number, seed)
	r.play(s)
}

func (all *report) add(s *scene, r row, seed uint64) {
	l := line{Row: r.number, Fault: r.fault, Seed: seed, Plays: 1, Figures: map[string]any{}}
	if s.history != nil {
		l.Calls, l.Failed, l.Attempts = len(s.history.Calls), len(s.history.Failed()), s.history.Attempts()
		l.Broken = len(s.history.Check())
	}
	if s.Failed() {
		l.Lost = 1
	}
	for _, f := range s.figures {
		l.Figures[f.name] = f.value
	}
	l.tell(s.T)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.bySeed[seed] == nil {
		all.bySeed[seed] = &line{Seed: seed}
	}
	all.bySeed[seed].add(l)
	all.total.add(l)
}

func (l *line) add(other line) {
	l.Plays += other.Plays
	l.Calls += other.Calls
	l.Failed += other.Failed
	l.Attempts += other.Attempts
	l.Broken += other.Broken
	l.Lost += other.Lost
}
