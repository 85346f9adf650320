package rule

import (
	"context"
	"iter"
)

// Document is what a source has on one service at one moment, unread.
type Document struct {
	Service string
	// Text is the document; nil says that there is none, which is as much an
	// answer as a document is.
	Text []byte
	// Revision tells one version of the document from another: in etcd that of
	// its last write. It has no order across sources.
	Revision int64
	// Origin is where it came from, for people: "etcd", or the path of a file.
	Origin string
	// Decode reads Text where it is not JSON; nil is [Decode].
	Decode func([]byte) (Policy, error)
	// Live says that the source vouches for this now. A source that lost touch
	// yields its last word again, no longer live.
	Live bool
}

// Source is where the rules of services come from. Rules yields the document
// of a service as soon as something is known, and again whenever that changes,
// until ctx is done or the loop is left; a slow reader misses intermediate
// documents, never the last. An error says why the source cannot be heard; the
// document beside it is the last one heard. It is safe for concurrent use.
type Source interface {
	Rules(ctx context.Context, service string) iter.Seq2[Document, error]
}
