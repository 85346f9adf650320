package rule

import (
	"context"
	"iter"
	"sync"
)

// Layers are several sources as one. Of all documents of a service the first
// holds, as a whole; one that is wrong is refused, and none below takes its
// place.
type Layers []Source

// Rememberer is a [Source] that knows the document of a service before it has
// said anything, such as one from disk: until then, that is its word.
type Rememberer interface {
	Remembered(service string) (Document, bool)
}

// Rules implements [Source]. It follows all sources, each in a goroutine that
// ends with the loop.
func (l Layers) Rules(ctx context.Context, service string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		latest := make([]word, len(l))
		for n, source := range l { // else one below could be faster
			if r, ok := source.(Rememberer); ok {
				latest[n].document, latest[n].known = r.Remembered(service)
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		words := make(chan word)
		for n, source := range l {
			following.Go(func() {
				for d, err := range source.Rules(ctx, service) {
					select {
					case words <- word{n, d, err, true}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		for {
			select {
			case w := <-words:
				if w.document.Text == nil && !w.document.Live && latest[w.layer].known { // lost touch, which takes nothing back
					w.document = latest[w.layer].document
					w.document.Live = false
				}
				latest[w.layer] = w
			case <-ctx.Done():
				return
			}
			if !yield(effective(service, latest)) {
				return
			}
		}
	}
}

// word is the last that one of the layers said.
type word struct {
	layer    int
	document Document
	err      error
	known    bool
}

// effective is the word of the first layer that has a document, or that there
// is none. An error is that of the first layer that has one.
func effective(service string, latest []word) (d Document, err error) {
	d, live := Document{Service: service}, true
	for _, w := range latest {
		if err == nil {
			err = w.err
		}
		if w.document.Text != nil {
			return w.document, err
		}
		live = live && w.known && w.document.Live
	}
	d.Live = live
	return d, err
}
