package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// onDisk is the file of one service. It is used by the service's watch loop
// before that begins to watch, then by the keeper, and read by Dump and
// telemetry.
type onDisk struct {
	service string
	path    string

	mu        sync.Mutex            // guards what follows; no file is read or written under it
	instances []*discovery.Instance // that stand in the file
	asOf      time.Time             // of them; zero: there are none
	loaded    bool                  // the mesh began with them
	unsaved   bool                  // the last save failed
	trouble   error                 // of the last load or save
	failures  int64                 // of loads and saves
}

// SnapshotDump is the file with the last known list of a service, see
// [WithSnapshotDir].
type SnapshotDump struct {
	File string `json:"file"`
	// Loaded says that the mesh began with the list in the file.
	Loaded bool `json:"loaded"`
	// AsOf is when the registry said what stands in the file, and Age how long
	// ago that is: so old would the list be if the process had to start with it
	// now. A list that does not change is not saved again. Zero: there is no
	// good file.
	AsOf time.Time     `json:"asOf,omitzero"`
	Age  time.Duration `json:"ageNs"`
	// Failures counts the loads and saves that failed, Trouble says why the
	// last of them did, if that was the last word.
	Failures int64  `json:"failures,omitempty"`
	Trouble  string `json:"trouble,omitempty"`
}

// load returns the list in the file; ok is false if it cannot be used.
func (d *onDisk) load(k *keeper) (s discovery.Snapshot, ok bool) {
	s, err := k.dir.Load(d.service)
	if err == nil && len(s.Instances) == 0 {
		err = fmt.Errorf("load %s: none of its %d records can be used", d.path, s.Refused)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, false
	case err != nil:
		d.failures++
		d.trouble = err
		k.logger.Warn("fairlead: list on disk cannot be used", "service", d.service, "error", err)
		return s, false
	}
	d.loaded, d.asOf = true, s.AsOf
	if s.Refused == 0 { // else the file holds more than this
		d.instances = s.Instances
	}
	k.logger.Info("fairlead: list was loaded from disk", "service", d.service, "instances", len(s.Instances), "age", staleness(s))
	return s, true
}

// save writes a list unless it is in the file already, and reports whether it
// is there now.
func (d *onDisk) save(k *keeper, s discovery.Snapshot) bool {
	d.mu.Lock()
	there := slices.EqualFunc(d.instances, s.Instances, (*discovery.Instance).Equal)
	d.mu.Unlock()
	var err error
	if !there {
		err = k.dir.Save(s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	failed := d.unsaved
	d.unsaved, d.trouble = err != nil, err
	switch {
	case err != nil:
		d.failures++
		if !failed {
			k.logger.Warn("fairlead: list cannot be saved", "service", d.service, "error", err)
		}
		return false
	case failed:
		k.logger.Info("fairlead: list is saved again", "service", d.service)
	}
	if !there {
		d.instances, d.asOf = s.Instances, s.AsOf
	}
	return true
}

// dump returns nil where nothing is kept on disk.
func (d *onDisk) dump() *SnapshotDump {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &SnapshotDump{File: d.path, Loaded: d.loaded, AsOf: d.asOf, Failures: d.failures}
	if !d.asOf.IsZero() {
		s.Age = max(0, time.Since(d.asOf))
	}
	if d.trouble != nil {
		s.Trouble = d.trouble.Error()
	}
	return s
}
