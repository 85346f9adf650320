package rule

import "bytes"

// Standing is what is in force of the rules of a service, and what was refused.
// The zero value says that nothing is known yet, and that what code set holds.
type Standing struct {
	// Table is in force; nil: what code set.
	Table *Table
	// Revision is that of the document which Table was made of; 0: there is
	// none.
	Revision int64
	// Origin is where that document came from, see [Document].
	Origin string
	// Live says that the source vouches for that now.
	Live bool
	// Refused says why the latest document is not in force, and RefusedRevision
	// which one it is; nil: it is.
	Refused         error
	RefusedRevision int64
	RefusedOrigin   string

	text, refusedText []byte // a store that was restored gives a revision again
}

// Next returns what stands once a document has arrived. One that is not valid
// as a whole changes nothing: the last good one stays. One that was deleted
// leaves what code set. What is the same in the new document keeps its objects.
func (s Standing) Next(d Document) Standing {
	live := d.Live
	switch {
	case d.Text == nil && !d.Live: // nothing was heard, which is no deletion
	case d.Text == nil:
		s = Standing{}
	case s.Refused != nil && d.Revision == s.RefusedRevision && d.Origin == s.RefusedOrigin && bytes.Equal(d.Text, s.refusedText):
	case s.Refused == nil && s.Table != nil && d.Revision == s.Revision && d.Origin == s.Origin && bytes.Equal(d.Text, s.text):
	default:
		if t, err := tableOf(d, s.Table); err != nil {
			s.Refused, s.RefusedRevision, s.RefusedOrigin, s.refusedText = err, d.Revision, d.Origin, d.Text
		} else {
			s = Standing{Table: t, Revision: d.Revision, Origin: d.Origin, text: d.Text}
		}
	}
	s.Live = live
	return s
}

func tableOf(d Document, previous *Table) (*Table, error) {
	read := d.Decode
	if read == nil {
		read = Decode
	}
	p, err := read(d.Text)
	if err != nil {
		return nil, err
	}
	if p.Spec.Service != d.Service {
		return nil, Problems{{Field: "spec.service", Value: quote(p.Spec.Service), Allowed: "allowed is " + d.Service + ", whose document it is"}}
	}
	return compile(p, previous), nil
}
