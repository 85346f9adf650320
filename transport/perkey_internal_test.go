package transport

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestPerKey(t *testing.T) {
	var p perKey[int, int]
	if p.of(1) != nil || len(p.all()) != 0 {
		t.Error("something is kept of a key that nobody asked for")
	}
	made := 0
	add := func(key int) *int { return p.add(key, func() *int { made++; return new(int) }) }
	first := add(1)
	if first == nil || add(1) != first || p.of(1) != first || made != 1 {
		t.Errorf("what is kept of a key was made %d times", made)
	}
	for key := range mostMethods + 10 {
		add(key)
	}
	if len(p.all()) != mostMethods || made != mostMethods || !p.full() {
		t.Errorf("%d are kept, %d were made: at most %d are", len(p.all()), made, mostMethods)
	}
	if add(-1) != nil || p.of(-1) != nil {
		t.Error("there is room beyond")
	}
	if add(1) != first {
		t.Error("who was there lost its place")
	}
}

// What is kept of a key is made once, whoever comes at the same time, and who looks at
// all after it has settled misses none.
func TestPerKeyUnderLoad(t *testing.T) {
	var p perKey[int, int64]
	var made atomic.Int64
	var config atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for key := range 500 {
				is := p.add(key, func() *int64 { made.Add(1); is := config.Load(); return &is })
				if is == nil || p.of(key) != is {
					t.Error("somebody was given what is not kept")
				}
			}
		})
	}
	workers.Go(func() {
		for n := range int64(200) {
			before := len(p.all())
			config.Store(n)
			p.settle()
			after := p.all()
			for key, is := range after {
				atomic.StoreInt64(is, n)
				if p.of(key) != is {
					t.Error("what is kept was replaced")
				}
			}
			if len(after) < before {
				t.Error("something was lost")
			}
		}
	})
	workers.Wait()
	if got := made.Load(); got != 500 {
		t.Errorf("%d were made of 500 keys", got)
	}
	for key, is := range p.all() {
		if got := atomic.LoadInt64(is); got < 0 || got > 199 {
			t.Errorf("%d has %d", key, got)
		}
	}
}
