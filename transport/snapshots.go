package transport

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/interrupt"
)

// saveInterval is the least time between two writes of one file.
const saveInterval = 5 * time.Second

// keeper saves the lists of a mesh's services to disk. Who has another list
// hands it over; the disk is waited for by the keeper's own goroutine.
type keeper struct {
	dir    discovery.SnapshotDir
	logger *slog.Logger
	begin  sync.Once
	news   chan struct{} // of capacity 1: something is in changed

	mu        sync.Mutex                         // guards what follows
	changed   map[*service]discovery.Snapshot    // that may have to be saved
	documents map[string]discovery.SavedDocument // the same, by service
	clients   map[string]discovery.SavedClients  // the same
	failures  int64                              // of saving documents and numbers of clients
}

// newKeeper returns nil where nothing is to be kept.
func newKeeper(dir discovery.SnapshotDir, logger *slog.Logger) *keeper {
	if dir == "" {
		return nil
	}
	return &keeper{dir: dir, logger: logger, news: make(chan struct{}, 1), changed: map[*service]discovery.Snapshot{}, documents: map[string]discovery.SavedDocument{}, clients: map[string]discovery.SavedClients{}}
}

// onDisk returns what is to be known of the file of a service, and sees to it
// that changes of it will be saved. It is called under Mesh.mu of a mesh that
// is not closed.
func (m *Mesh) onDisk(service string) *onDisk {
	k := m.keeper
	if k == nil {
		return nil
	}
	k.begin.Do(func() { m.loops.Go(func() { k.run(m.ctx) }) })
	return &onDisk{service: service, path: k.dir.Path(service)}
}

// restore begins a service with the list that was saved last, so that its
// calls need not wait for the registry. What the registry says comes later and
// replaces it.
func (m *Mesh) restore(s *service) {
	s.ruling.kept = m.restoreDocument(s.name, validRules)
	if m.keeper == nil {
		return
	}
	s.quotas.kept = m.restoreClients(s.name) // before there is a limit that is shared
	// The rules first, so that no call goes out without them.
	if d := s.ruling.kept.document; d.Text != nil {
		m.hear(s, d, nil)
	}
	if snapshot, ok := s.disk.load(m.keeper); ok {
		m.apply(s, snapshot, nil)
	}
}

// keep hands a list to the keeper if it is to be found after a restart.
func (m *Mesh) keep(s *service, view *balancer.View) {
	if m.keeper != nil && worthKeeping(view) {
		snapshot := view.Snapshot
		snapshot.Service, snapshot.AsOf = s.name, time.Now() // it is live
		m.keeper.note(s, snapshot)
	}
}

// worthKeeping says whether a restart should find this list: the registry
// vouches for it right now, it is believed, and there is somebody on it. An
// empty list would help nobody, and if it is a mistake the last one still
// helps.
func worthKeeping(v *balancer.View) bool {
	return v.Snapshot.State == discovery.Live && v.Held == 0 && len(v.Snapshot.Instances) > 0
}

// note takes the place of what was noted of s before.
func (k *keeper) note(s *service, snapshot discovery.Snapshot) {
	k.mu.Lock()
	k.changed[s] = snapshot
	k.mu.Unlock()
	k.tell()
}

// again notes what could not be saved, unless there is something newer.
func (k *keeper) again(s *service, snapshot discovery.Snapshot) {
	k.mu.Lock()
	if _, newer := k.changed[s]; !newer {
		k.changed[s] = snapshot
	}
	k.mu.Unlock()
	k.tell()
}

func (k *keeper) tell() {
	select {
	case k.news <- struct{}{}:
	default: // it knows already
	}
}

// run is the one goroutine of a mesh that writes files. It belongs to the
// mesh, begins with its first service and ends with it, when all that is new
// has been saved. It looks at a service at most once per interval; changes
// meanwhile become one.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-k.news:
		case <-ctx.Done():
		}
		k.saveChanged()
		interrupt.Pause(ctx, saveInterval)
	}
	k.saveChanged()
}

func (k *keeper) saveChanged() {
	k.mu.Lock()
	changed, documents, clients := k.changed, k.documents, k.clients
	k.changed, k.documents, k.clients = map[*service]discovery.Snapshot{}, map[string]discovery.SavedDocument{}, map[string]discovery.SavedClients{}
	k.mu.Unlock()
	for service, d := range documents {
		if err := k.dir.SaveDocument(d); err != nil {
			k.logger.Warn("fairlead: document cannot be saved", "service", service, "error", err)
			k.documentAgain(d)
		}
	}
	for _, c := range clients {
		k.saveClients(c)
	}
	for s, snapshot := range changed {
		if !s.disk.save(k, snapshot) {
			k.again(s, snapshot)
		}
	}
}

// noteDocument takes the place of what was noted of the document before.
func (k *keeper) noteDocument(d discovery.SavedDocument) {
	d.AsOf = time.Now().UTC() // it is live
	k.mu.Lock()
	k.documents[d.Service] = d
	k.mu.Unlock()
	k.tell()
}

// documentAgain notes what could not be saved, unless there is something newer.
func (k *keeper) documentAgain(d discovery.SavedDocument) {
	k.mu.Lock()
	k.failures++
	if _, newer := k.documents[d.Service]; !newer {
		k.documents[d.Service] = d
	}
	k.mu.Unlock()
	k.tell()
}

// documentFailures counts the saves of documents that failed.
func (k *keeper) documentFailures() int64 {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failures
}
