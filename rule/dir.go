package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// Dir is a source over the files of a directory, one for each service: orders.json.
// A file is looked at once a second, and is best replaced by renaming another,
// since a half-written one is a wrong document.
type Dir struct {
	Path string
	// Ext ends the name of a file; empty is ".json".
	Ext string
	// Decode reads a file; nil is [Decode].
	Decode func([]byte) (Policy, error)
}

// lookInterval is how often a file is looked at.
const lookInterval = time.Second

// Rules implements [Source]. It needs no goroutine.
func (d Dir) Rules(ctx context.Context, service string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		if err := discovery.ValidateService(service); err != nil {
			yield(Document{Service: service}, err)
			return
		}
		tick := time.NewTicker(lookInterval)
		defer tick.Stop()
		last, told, failed := Document{Service: service}, false, false
		for {
			next, err := d.read(service)
			switch {
			case err != nil && !failed:
				last.Live, failed = false, true
				if !yield(last, err) {
					return
				}
			case err == nil && (!told || failed || next.Revision != last.Revision || (next.Text == nil) != (last.Text == nil)):
				last, told, failed = next, true, false
				if !yield(last, nil) {
					return
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// read reads the file of a service. One that is not there is an answer.
func (d Dir) read(service string) (Document, error) {
	path := filepath.Join(d.Path, service+cmp.Or(d.Ext, ".json"))
	doc := Document{Service: service, Origin: path, Decode: d.Decode, Live: true}
	if info, err := os.Stat(d.Path); err != nil || !info.IsDir() {
		return doc, fmt.Errorf("rule: %s is no directory that can be read: %w", d.Path, cmp.Or(err, fs.ErrInvalid))
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doc, nil
	case err != nil:
		return doc, fmt.Errorf("rule: %w", err)
	case !info.Mode().IsRegular(): // to open a pipe could wait for ever
		return doc, fmt.Errorf("rule: %s is no regular file but %s", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return doc, fmt.Errorf("rule: %w", err)
	}
	defer f.Close()
	doc.Text, err = io.ReadAll(io.LimitReader(f, MaxBytes+1)) // one more is too large for the decoder
	if err != nil {
		return doc, fmt.Errorf("rule: %w", err)
	}
	doc.Revision = int64(xxhash.Sum64(doc.Text) >> 1)
	return doc, nil
}
