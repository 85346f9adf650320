package balancer_test

import (
	"testing"
	"time"
)

func TestScratchWorld(t *testing.T) {
	slow := func(by time.Duration) func(*server) {
		return func(s *server) { s.mean = by * 10 * time.Millisecond }
	}
	type phase struct {
		at int
		do func(w *world)
	}
	for _, sc := range []struct {
		name          string
		instances     map[string]int
		clients, rate int
		others        int // clients in eu-b
		phases        []phase
		n             int
	}{
		{"well", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 30, 0, nil, 6},
		{"over 2x", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 120, 0, nil, 20},
		{"gray", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 20, 0, []phase{{2, func(w *world) { w.each("eu-a", slow(5)) }}, {12, func(w *world) { w.each("eu-a", slow(1)) }}}, 24},
		{"fails", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 30, 0, []phase{{2, func(w *world) { w.each("eu-a", func(s *server) { s.fails = .5 }) }}, {12, func(w *world) { w.each("eu-a", func(s *server) { s.fails = 0 }) }}}, 24},
		{"both slow", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 10, 0, []phase{{2, func(w *world) { w.each("eu-a", slow(3)); w.each("eu-b", slow(3)) }}}, 16},
		{"hangs", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 30, 0, []phase{{2, func(w *world) { w.each("eu-a", func(s *server) { s.hangs = true }) }}, {6, func(w *world) { w.each("eu-a", func(s *server) { s.hangs = false }) }}}, 24},
		{"small zone", map[string]int{"eu-a": 1, "eu-b": 10, "eu-c": 10}, 40, 10, 0, nil, 20},
		{"tails", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 20, 0, []phase{{0, func(w *world) {
			w.each("eu-a", func(s *server) { s.tails = 2 })
			w.each("eu-b", func(s *server) { s.tails = 2 })
		}}}, 20},
		{"neighbours busy", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 90, 70, nil, 30},
		{"neighbours busier", map[string]int{"eu-a": 3, "eu-b": 6}, 10, 70, 100, nil, 30},
		{"all busy", map[string]int{"eu-a": 3, "eu-b": 3}, 10, 57, 57, nil, 30},
		{"regions", map[string]int{"eu-a": 3, "eu-b": 3, "us-a": 6}, 10, 20, 0, []phase{{2, func(w *world) { w.each("eu-a", slow(10)); w.each("eu-b", slow(10)) }}, {12, func(w *world) { w.each("eu-a", slow(1)); w.each("eu-b", slow(1)) }}}, 24},
	} {
		t.Log("=====", sc.name)
		w, s := newWorld(sc.instances)
		w.join(t, s, "eu-a", sc.clients, sc.rate)
		if sc.others > 0 {
			w.join(t, s, "eu-b", 10, sc.others)
		}
		for i := range sc.n {
			for _, p := range sc.phases {
				if p.at == i {
					p.do(w)
				}
			}
			r := w.run(10 * time.Second)
			t.Logf("%3ds %v", 10*(i+1), r)
			if b := w.reports["eu-b"]; b != nil {
				t.Logf("    of b %v", b)
			}
		}
	}
}
