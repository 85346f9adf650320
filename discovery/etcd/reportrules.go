package etcd

import (
	"strings"
	"time"
	"unicode/utf8"
)

// rulesReport is what a client says of the rules of a service that it calls.
type rulesReport struct {
	Applied int64  `json:"applied,omitempty"` // revision in force; 0: none
	Refused int64  `json:"refused,omitempty"` // revision of the latest document, if that is not valid
	Reason  string `json:"reason,omitempty"`  // of the refusal
}

// mostReason bounds the reason of a refusal, in bytes: it is to be seen that
// there is one, and which. The whole is in the log of the client.
const mostReason = 256

// ReportRules shows, beside the fact that this process calls a service, which
// revision of the service's rules it obeys and which one it refused and why; 0
// says that there is none. It is shown within 5 s of there being a watch of the
// service, at a random moment, since all clients of a service have something to
// say whenever its rules change: what is reported until then is one write. It
// never blocks. A process without a name shows nothing, see [Config].Caller.
func (r *Registry) ReportRules(service string, applied, refused int64, reason string) {
	r.supervisor.reportRules(service, rulesReport{Applied: applied, Refused: refused, Reason: shorten(reason)})
}

func (s *supervisor) reportRules(service string, report rulesReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.presence.rules[service] == report {
		return
	}
	s.presence.rules[service] = report
	if report == (rulesReport{}) {
		delete(s.presence.rules, service)
	}
	s.sayLocked(service, s.presence.callees[service], time.Now().Add(between(0, together)))
}

// shorten cuts a text to what a record may hold, between two letters.
func shorten(text string) string {
	const mark = "…"
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= mostReason {
		return text
	}
	end := mostReason - len(mark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
