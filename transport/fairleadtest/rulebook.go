package fairleadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// Rulebook is a source of rules and settings that says what the test puts into it.
// It is for transport.WithRules, or, embedded in one struct with a [Fleet], a
// registry with rules and settings. The zero value has none. It is safe for
// concurrent use.
type Rulebook struct {
	mu        sync.Mutex // guards what follows
	revision  int64
	documents map[string]rule.Document // by service; settings under ""
	lost      bool
	changed   chan struct{} // closed with the next change
}

var (
	_ rule.Source              = (*Rulebook)(nil)
	_ transport.SettingsSource = (*Rulebook)(nil)
)

// Put puts the policy of a service in force, and returns its revision. A bad
// one panics; see PutText.
func (r *Rulebook) Put(p rule.Policy) int64 {
	if err := p.Validate(); err != nil {
		panic(fmt.Sprint("fairleadtest: ", err))
	}
	return r.put(p.Spec.Service, p)
}

// PutSettings puts settings in force, and returns their revision.
func (r *Rulebook) PutSettings(s rule.Settings) int64 {
	if err := s.Validate(); err != nil {
		panic(fmt.Sprint("fairleadtest: ", err))
	}
	return r.put("", s)
}

func (r *Rulebook) put(service string, document any) int64 {
	text, err := json.Marshal(document)
	if err != nil {
		panic(fmt.Sprint("fairleadtest: ", err))
	}
	return r.PutText(service, text)
}

// PutText puts any text in the place of a service's document, or of the
// settings where service is empty, and returns its revision. nil takes it away.
func (r *Rulebook) PutText(service string, text []byte) (revision int64) {
	r.change(func() {
		if r.documents == nil {
			r.documents = map[string]rule.Document{}
		}
		r.revision++
		revision = r.revision
		r.documents[service] = rule.Document{Service: service, Text: text, Revision: revision, Origin: "test"}
	})
	return revision
}

// Rewind takes the count of revisions back by one, as a store does that was
// restored: the next text has the revision of the last.
func (r *Rulebook) Rewind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revision--
}

// Lose says whether the source has lost touch.
func (r *Rulebook) Lose(yes bool) { r.change(func() { r.lost = yes }) }

func (r *Rulebook) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// Rules implements [rule.Source].
func (r *Rulebook) Rules(ctx context.Context, service string) iter.Seq2[rule.Document, error] {
	return func(yield func(rule.Document, error) bool) {
		for {
			r.mu.Lock()
			d, lost := r.documents[service], r.lost
			if r.changed == nil {
				r.changed = make(chan struct{})
			}
			changed := r.changed
			r.mu.Unlock()
			d.Service, d.Live = service, !lost
			var err error
			if lost {
				err = fmt.Errorf("fairleadtest: rules of %q: lost", service)
			}
			if !yield(d, err) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Settings implements [transport.SettingsSource].
func (r *Rulebook) Settings(ctx context.Context) iter.Seq2[rule.Document, error] {
	return r.Rules(ctx, "")
}
