package etcd

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/rule"
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
	c := s.presence.callees[service]
	if c == nil || c.holding == nil || c.holding.gone {
		return // whoever begins to show it asks for the latest report
	}
	value, err := s.presence.record(service, c)
	if err != nil || value == c.holding.value {
		return
	}
	h, now := c.holding, time.Now()
	waiting := !h.proved && h.due.After(now) // the put that is due takes this along
	h.value, h.proved = value, false
	if !h.closing && !waiting {
		h.due = now.Add(between(0, together))
		s.wakeUp()
	}
}

// record is the value of the key of a callee.
func (p *presence) record(service string, c *callee) (string, error) {
	r := clientRecord{Service: p.caller, Library: library(), Since: c.since.UTC().Truncate(time.Second), Edition: rule.Edition}
	if report, ok := p.rules[service]; ok {
		r.Rules = &report
	}
	value, err := json.Marshal(r)
	return string(value), err
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
