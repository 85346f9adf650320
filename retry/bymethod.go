package retry

import (
	"maps"
	"sync"
	"sync/atomic"
)

// mostMethods bounds what a peer that makes up names can make us keep.
const mostMethods = 256

// ByMethod keeps one T, [Latencies] for example, for each method of a service. T's
// zero value is where each begins. Beyond 256 methods all others share one. It is
// safe for concurrent use; finding one that exists takes no lock and allocates
// nothing.
type ByMethod[T any] struct {
	known atomic.Pointer[map[string]*T] // never changed, always replaced

	mu sync.Mutex // serialises those who replace it
}

// Of returns what is kept for a method.
func (m *ByMethod[T]) Of(method string) *T {
	if known := m.known.Load(); known != nil {
		if t := (*known)[method]; t != nil {
			return t
		}
		if len(*known) >= mostMethods {
			if t := (*known)[""]; t != nil {
				return t
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]*T)
	if known := m.known.Load(); known != nil {
		if len(*known) >= mostMethods {
			method = ""
		}
		if t := (*known)[method]; t != nil {
			return t
		}
		next = maps.Clone(*known)
	}
	t := new(T)
	next[method] = t
	m.known.Store(&next)
	return t
}
