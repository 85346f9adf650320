package transport

import (
	"sync"

	"github.com/fairlead-go/fairlead/internal/callback"
)

// callbacks are the pieces of others' code that calls run through, of the mesh and
// of its doors.
type callbacks struct {
	mu  sync.Mutex
	all []*callback.Callback
}

// Callback returns what a door runs a piece of the user's code by, so that its
// panics are survived, and counted with those of the mesh.
func (m *Mesh) Callback(name string) *callback.Callback {
	c := &callback.Callback{Name: name, Logger: m.logger}
	m.callbacks.mu.Lock()
	defer m.callbacks.mu.Unlock()
	m.callbacks.all = append(m.callbacks.all, c)
	return c
}

// panics counts those that there were, by the name of the code.
func (c *callbacks) panics() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int64{}
	for _, one := range c.all {
		counts[one.Name] += one.Panics()
	}
	return counts
}
