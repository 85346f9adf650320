package rule

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// Static is a source of what code says: at most one policy for each service. It
// never changes.
func Static(policies ...Policy) (Source, error) {
	s := static{}
	for n, p := range policies {
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("policy %d: %w", n, err)
		}
		if s[p.Spec.Service] != nil {
			return nil, fmt.Errorf("policy %d: %w", n, Problems{{Field: "spec.service", Value: quote(p.Spec.Service), Allowed: "allowed is one policy for a service"}})
		}
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		s[p.Spec.Service] = text
	}
	return s, nil
}

// static holds documents by service.
type static map[string][]byte

func (s static) Rules(ctx context.Context, service string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		if yield(Document{Service: service, Text: s[service], Revision: 1, Origin: "code", Live: true}, nil) {
			<-ctx.Done()
		}
	}
}
