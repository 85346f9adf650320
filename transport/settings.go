package transport

import (
	"bytes"
	"context"
	"iter"

	"github.com/fairlead-go/fairlead/rule"
)

// SettingsSource is a registry that knows the settings of all services.
// Settings yields as [rule.Source] does, documents of no service.
type SettingsSource interface {
	Settings(ctx context.Context) iter.Seq2[rule.Document, error]
}

// switched is what is known of the settings. It is written by the goroutine
// that follows them, and replaced as a whole.
type switched struct {
	settings rule.Settings
	revision int64
	live     bool
	refused  error // why the latest are not in force
	// refusedRevision is that of those, refusals counts them all.
	refusedRevision, refusals int64
	text                      []byte // of those in force
	trouble                   error  // why they cannot be heard
}

// heed begins to follow the settings, with those on disk. One goroutine does; it
// begins with the first service and ends with the mesh.
func (m *Mesh) heed() {
	source, ok := m.registry.(SettingsSource)
	if !ok {
		return
	}
	m.heeding.Do(func() {
		k := m.restoreDocument("", validSettings)
		if k.document.Text != nil {
			m.hearSettings(k.document, nil)
		}
		m.loops.Go(func() {
			var pace pace
			for d, err := range k.follow(source.Settings(m.ctx)) {
				pace.keep(m.ctx)
				m.hearSettings(d, err)
			}
		})
	})
}

// hearSettings takes in what the registry says of the settings.
func (m *Mesh) hearSettings(d rule.Document, err error) {
	before := m.settings.Load()
	now := before.next(d, err)
	m.settings.Store(now)
	m.logSettings(before, now)
	if now.revision == before.revision && bytes.Equal(now.text, before.text) {
		return
	}
	for _, s := range *m.services.Load() {
		s.mu.Lock()
		if before.settings.Concern(s.name) || now.settings.Concern(s.name) {
			m.ruleLocked(s)
		}
		s.mu.Unlock()
	}
	for _, a := range m.admitted() {
		a.mu.Lock()
		if before.settings.Concern(a.service) || now.settings.Concern(a.service) {
			a.obeyLocked()
		}
		a.mu.Unlock()
	}
}

// next returns what stands once a document has arrived, in the way of
// [rule.Standing].
func (w *switched) next(d rule.Document, err error) *switched {
	n := *w
	n.live, n.trouble = d.Live, err
	switch {
	case d.Text == nil && !d.Live: // nothing was heard, which takes nothing back
	case d.Text == nil:
		n = switched{live: d.Live, trouble: err, refusals: w.refusals}
	default:
		settings, err := rule.DecodeSettings(d.Text)
		if err != nil {
			if n.refused = err; n.refusedRevision != d.Revision {
				n.refusals++
			}
			n.refusedRevision = d.Revision
			break
		}
		n.settings, n.revision, n.text, n.refused, n.refusedRevision = settings, d.Revision, d.Text, nil, 0
	}
	return &n
}

func (m *Mesh) logSettings(before, now *switched) {
	switch {
	case now.refusals != before.refusals:
		m.logger.Warn("fairlead: settings were refused, the last good ones stay", "refused", now.refusedRevision, "revision", now.revision, "error", now.refused)
	case now.revision != before.revision:
		m.logger.Warn("fairlead: settings are in force", "revision", now.revision, "safeMode", now.settings.Spec.SafeMode,
			"off", now.settings.Spec.Off, "services", len(now.settings.Spec.Services))
	}
}
