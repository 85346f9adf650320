package dnstest

import (
	"golang.org/x/net/dns/dnsmessage"
)

// answer returns the answer to a query, or nil where there is none. On UDP one
// that is too large for whoever asks is cut off, so that he asks on TCP.
func (s *Server) answer(query []byte, packet bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries++
	if s.silent {
		return nil
	}
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true, RCode: s.code},
		Questions: []dnsmessage.Question{question},
	}
	if s.code == dnsmessage.RCodeSuccess {
		m.Answers, m.RCode = s.recordsLocked(question)
	}
	b, err := m.Pack()
	if err == nil && packet && len(b) > payload(&parser) {
		m.Truncated, m.Answers = true, nil
		b, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return b
}

func (s *Server) recordsLocked(q dnsmessage.Question) ([]dnsmessage.Resource, dnsmessage.RCode) {
	name := canonical(q.Name.String())
	srv, hosts := s.srv[name], s.hosts[name]
	if len(srv) == 0 && len(hosts) == 0 {
		return nil, dnsmessage.RCodeNameError
	}
	var bodies []dnsmessage.ResourceBody
	for _, r := range srv {
		if q.Type == dnsmessage.TypeSRV {
			bodies = append(bodies, &dnsmessage.SRVResource{Priority: r.Priority, Weight: r.Weight, Port: r.Port, Target: dnsmessage.MustNewName(r.Target)})
		}
	}
	for _, a := range hosts {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			bodies = append(bodies, &dnsmessage.AResource{A: a.As4()})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			bodies = append(bodies, &dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	resources := make([]dnsmessage.Resource, len(bodies))
	for n, body := range bodies {
		resources[n] = dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: body}
	}
	return resources, dnsmessage.RCodeSuccess
}

// payload is the largest packet that whoever asks can take: 512 bytes, or what
// EDNS(0) says in the class of its pseudo-record (RFC 6891).
func payload(p *dnsmessage.Parser) int {
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return 512
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return 512
		}
		if h.Type == dnsmessage.TypeOPT {
			return max(512, int(h.Class))
		}
		if p.SkipAdditional() != nil {
			return 512
		}
	}
}
