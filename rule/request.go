package rule

import (
	"net/textproto"
	"strings"
)

// Request is a call as the conditions of a rule see it. What is asked for is
// what the document names, so that a door looks nothing up that no rule needs.
type Request interface {
	Method() string
	Path() string
	Header(Header) (value string, ok bool) // the first of several
	Query(name string) (value string, ok bool)
	Caller() string
	Baggage(name string) (value string, ok bool)
	Key() string // what code said the call is about
}

// Header is the name of a header, in both of its forms, so that no door has to
// make one while a call waits.
type Header struct {
	Canonical string // "X-User-Tier", as net/http writes it
	Lower     string // "x-user-tier", as gRPC writes it
}

func headerOf(name string) Header {
	return Header{textproto.CanonicalMIMEHeaderKey(name), strings.ToLower(name)}
}
