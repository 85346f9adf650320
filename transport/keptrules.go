package transport

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// kept is what a registry says of one document, beginning with what is on disk,
// where what it says is kept. A document that is wrong is not: the last good one
// is what a restart wants.
type kept struct {
	keeper   *keeper       // nil: nothing is kept
	document rule.Document // on disk, or about to be; Text is nil if there is none
	valid    func([]byte) error
}

func (k *kept) follow(words iter.Seq2[rule.Document, error]) iter.Seq2[rule.Document, error] {
	if k.keeper == nil {
		return words
	}
	return func(yield func(rule.Document, error) bool) {
		if k.document.Text != nil && !yield(k.document, nil) {
			return
		}
		for d, err := range words {
			switch {
			case d.Live && (d.Text == nil || k.valid(d.Text) == nil):
				if !bytes.Equal(d.Text, k.document.Text) || d.Revision != k.document.Revision {
					k.keeper.noteDocument(discovery.SavedDocument{Service: d.Service, Text: d.Text, Revision: d.Revision, Origin: d.Origin})
				}
				k.document = d
				k.document.Live = false
			case !d.Live && d.Text == nil: // nothing was heard yet
				d = k.document
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// keptRules is the registry's [rule.Source].
type keptRules struct {
	rule.Source
	kept *kept
}

// Remembered implements [rule.Rememberer]. It is asked before Rules.
func (k keptRules) Remembered(string) (rule.Document, bool) {
	return k.kept.document, k.kept.document.Text != nil
}

func (k keptRules) Rules(ctx context.Context, service string) iter.Seq2[rule.Document, error] {
	return k.kept.follow(k.Source.Rules(ctx, service))
}

func validRules(text []byte) error {
	_, err := rule.Decode(text)
	return err
}

func validSettings(text []byte) error {
	_, err := rule.DecodeSettings(text)
	return err
}

// restoreDocument returns what was saved of the document of a service, or of
// the settings.
func (m *Mesh) restoreDocument(service string, valid func([]byte) error) *kept {
	k := &kept{keeper: m.keeper, valid: valid}
	if _, ok := m.registry.(rule.Source); !ok || m.keeper == nil {
		return k
	}
	saved, err := m.keeper.dir.LoadDocument(service)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		m.logger.Warn("fairlead: document on disk cannot be used", "service", service, "error", err)
	default:
		k.document = rule.Document{Service: service, Text: saved.Text, Revision: saved.Revision, Origin: saved.Origin}
	}
	return k
}
