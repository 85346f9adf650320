package transport

import (
	"errors"
	"io/fs"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// restoreClients returns how many called a service when the registry last said so;
// 0: that is not known.
func (m *Mesh) restoreClients(service string) int {
	if m.keeper == nil || m.clientWatcher() == nil {
		return 0
	}
	saved, err := m.keeper.dir.LoadClients(service)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.logger.Warn("fairlead: number of clients on disk cannot be used", "service", service, "error", err)
	}
	return saved.Number
}

// keepClients has it saved how many call a service, which the registry says now. It
// may be asked of nil.
func (k *keeper) keepClients(service string, number int) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.clients[service] = discovery.SavedClients{Service: service, Number: number, AsOf: time.Now().UTC()}
	k.mu.Unlock()
	k.tell()
}

// saveClients is called by the keeper's own goroutine.
func (k *keeper) saveClients(c discovery.SavedClients) {
	err := k.dir.SaveClients(c)
	if err == nil {
		return
	}
	k.logger.Warn("fairlead: number of clients cannot be saved", "service", c.Service, "error", err)
	k.mu.Lock()
	k.failures++
	if _, newer := k.clients[c.Service]; !newer {
		k.clients[c.Service] = c
	}
	k.mu.Unlock()
	k.tell()
}
