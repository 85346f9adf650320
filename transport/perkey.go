package transport

import (
	"maps"
	"sync"
	"sync/atomic"
)

// perKey keeps something of each of some keys, at most mostMethods. The zero value is
// empty.
type perKey[K comparable, T any] struct {
	known atomic.Pointer[map[K]*T] // copied on write, under mu
	mu    sync.Mutex
}

// all returns what is kept. It must not be written to.
func (p *perKey[K, T]) all() map[K]*T {
	if known := p.known.Load(); known != nil {
		return *known
	}
	return nil
}

// of returns what is kept of a key, nil if that is nothing.
func (p *perKey[K, T]) of(key K) *T { return p.all()[key] }

// full reports whether there is no room for another key. There never will be again.
func (p *perKey[K, T]) full() bool { return len(p.all()) >= mostMethods }

// add keeps what is made of a key, unless something is kept already, and returns it;
// nil if there is no room.
func (p *perKey[K, T]) add(key K, made func() *T) *T {
	if p.full() { // those who find no room share no lock
		return p.of(key)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if is := p.of(key); is != nil || p.full() {
		return is
	}
	next := make(map[K]*T, len(p.all())+1)
	maps.Copy(next, p.all())
	is := made()
	next[key] = is
	p.known.Store(&next)
	return is
}

// settle waits for who is making something: what was made by what held before is
// among all from then on.
func (p *perKey[K, T]) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
}
