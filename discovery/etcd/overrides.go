package etcd

import (
	"errors"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// overrides is what operators say of the instances of one service. It is part
// of a feed and guarded by its mutex.
type overrides struct {
	prefix   string              // of the keys
	settled  bool                // they were read, or cannot be
	err      error               // why they cannot be read; nil: they can
	written  map[string]Override // by ID: all there are, in force or over
	refusals map[string]error    // by what comes after prefix: those that cannot be understood
	ending   *time.Timer         // until the next of them is over; nil: none ends
}

// overrideSink is a feed's sink for the keys of overrides.
type overrideSink struct{ *feed }

func (o overrideSink) replace(all []*mvccpb.KeyValue, _ int64) {
	o.settle(nil, func() {
		clear(o.overrides.written)
		clear(o.overrides.refusals)
		for _, kv := range all {
			o.put(kv)
		}
	})
}

func (o overrideSink) apply(events []*mvccpb.Event, _ int64) {
	o.settle(nil, func() {
		for _, e := range events {
			id := o.id(e.Kv)
			delete(o.overrides.written, id)
			delete(o.overrides.refusals, id)
			if e.Type != mvccpb.Event_DELETE {
				o.put(e.Kv)
			}
		}
	})
}

// trouble implements sink. Who may not read overrides sees the instances as
// they describe themselves: a list without overrides is better than none.
func (o overrideSink) trouble(err error) { o.settle(err, func() {}) }

// put is called with the feed's mutex held.
func (o overrideSink) put(kv *mvccpb.KeyValue) {
	id := o.id(kv)
	if !discovery.ValidID(id) {
		o.overrides.refusals[id] = errors.New("key is not of the form overrides/<service>/<id>")
	} else if override, err := decodeOverride(kv); err != nil {
		o.overrides.refusals[id] = err
	} else {
		o.overrides.written[id] = override
	}
}

// id is what a key is known by: what comes after the prefix.
func (o overrideSink) id(kv *mvccpb.KeyValue) string {
	return strings.TrimPrefix(string(kv.Key), o.overrides.prefix)
}

// settle makes a change of the overrides visible.
func (o overrideSink) settle(err error, change func()) {
	o.mu.Lock()
	before := len(o.overrides.refusals)
	change()
	first := !o.overrides.settled
	o.overrides.settled, o.overrides.err = true, err
	lines := o.enforceLocked(time.Now())
	refused := len(o.overrides.refusals)
	o.mu.Unlock()
	if first && err != nil {
		o.log.Warn("overrides cannot be read", "error", err)
	}
	if refused > before {
		o.log.Warn("overrides skipped", "refused", refused)
	}
	for _, line := range lines {
		line()
	}
}

// enforceLocked lets those overrides count that are in force, and comes back
// when the next of them is over. It returns what is to be logged.
func (f *feed) enforceLocked(now time.Time) (lines []func()) {
	before, force := f.instances.overrides, map[string]Override{}
	var next time.Time
	for id, o := range f.overrides.written {
		if o.over(now) {
			continue
		}
		force[id] = o
		if !o.Until.IsZero() && (next.IsZero() || o.Until.Before(next)) {
			next = o.Until
		}
	}
	f.instances.overrides = force
	for id, o := range force {
		if before[id] != o {
			f.instances.override(id)
			lines = append(lines, func() {
				f.log.Info("instance overridden", "id", id, "drain", o.Drain, "weight", o.Weight, "by", o.By, "reason", o.Reason, "until", o.Until)
			})
		}
	}
	for id := range before {
		if _, still := force[id]; !still {
			f.instances.override(id)
			lines = append(lines, func() { f.log.Info("instance no longer overridden", "id", id) })
		}
	}
	f.alarmLocked(next, now)
	if f.goLiveLocked(now) {
		revision, records := f.revision, len(f.instances.entries)
		lines = append(lines, func() { f.log.Info("instance list is live", "revision", revision, "records", records) })
	} else if len(lines) > 0 {
		f.changedLocked(now)
	}
	return lines
}

// alarmLocked comes back at a time; zero: never.
func (f *feed) alarmLocked(at, now time.Time) {
	if f.overrides.ending != nil {
		f.overrides.ending.Stop()
		f.overrides.ending = nil
	}
	if at.IsZero() || f.closed {
		return
	}
	f.overrides.ending = time.AfterFunc(at.Sub(now), func() {
		f.mu.Lock()
		var lines []func()
		if !f.closed {
			lines = f.enforceLocked(time.Now())
		}
		f.mu.Unlock()
		for _, line := range lines {
			line()
		}
	})
}
