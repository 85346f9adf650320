package etcd

import (
	"bytes"

	"github.com/fairlead-go/fairlead/discovery"
)

// canonical reads a record in the form in which encode writes it: no space, no
// escapes, the names in their order, so that none can be there twice. Nearly all
// records are in that form, and a client with a thousand services reads many of
// them. Ok is false for anything else, which may well be a record.
func canonical(value []byte) (addr string, m metadata, ok bool) {
	p := parser{rest: value}
	p.want(`{"Op":0,"Addr":`)
	addr = p.text()
	p.want(`,"Metadata":{"id":`)
	m.ID = p.text()
	p.want(`,"service":`)
	m.Service = p.text()
	if p.has(`,"endpoints":[`) {
		m.Endpoints = p.endpoints()
	}
	if p.has(`,"weight":`) {
		m.Weight = p.number()
	}
	for _, o := range [...]struct {
		name  string
		field *string
	}{{`,"region":`, &m.Region}, {`,"zone":`, &m.Zone}, {`,"version":`, &m.Version}} {
		if p.has(o.name) {
			*o.field = p.text()
		}
	}
	m.Draining = p.has(`,"draining":true`)
	if p.has(`,"bootID":`) {
		m.BootID = p.text()
	}
	if p.has(`,"startedAt":`) && m.StartedAt.UnmarshalText(p.raw()) != nil {
		return "", metadata{}, false
	}
	if p.has(`,"meta":{`) {
		m.Meta = p.texts()
	}
	if p.has(`,"incarnation":`) {
		m.Incarnation = p.text()
	}
	if p.has(`,"library":`) {
		m.Library = p.text()
	}
	p.want(`}}`)
	if p.failed || len(p.rest) > 0 || m.ID == "" {
		return "", metadata{}, false
	}
	return addr, m, true
}

// parser has read what is not in rest, unless it failed.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) has(next string) bool {
	if p.failed || len(p.rest) < len(next) || string(p.rest[:len(next)]) != next {
		return false
	}
	p.rest = p.rest[len(next):]
	return true
}

func (p *parser) want(next string) { p.failed = !p.has(next) || p.failed }

// raw reads a text of printable ASCII without escapes.
func (p *parser) raw() []byte {
	p.want(`"`)
	n := bytes.IndexByte(p.rest, '"')
	if p.failed || n < 0 {
		p.failed = true
		return nil
	}
	raw := p.rest[:n]
	for _, c := range raw {
		if c < ' ' || c > '~' || c == '\\' {
			p.failed = true
			return nil
		}
	}
	p.rest = p.rest[n+1:]
	return raw
}

func (p *parser) text() string { return string(p.raw()) }

func (p *parser) number() (n int) {
	digits := 0
	for digits < len(p.rest) && p.rest[digits] >= '0' && p.rest[digits] <= '9' {
		n = 10*n + int(p.rest[digits]-'0')
		if digits++; digits > 9 {
			break
		}
	}
	if digits == 0 || digits > 9 || p.rest[0] == '0' {
		p.failed = true
		return 0
	}
	p.rest = p.rest[digits:]
	return n
}

func (p *parser) endpoints() (all []discovery.Endpoint) {
	for !p.failed {
		var e discovery.Endpoint
		p.want(`{"protocol":`)
		e.Protocol = discovery.Protocol(p.text())
		p.want(`,"addr":`)
		e.Addr = p.text()
		p.want(`}`)
		all = append(all, e)
		if !p.has(`,`) {
			p.want(`]`)
			return all
		}
	}
	return nil
}

// texts reads the rest of an object of texts whose names are sorted.
func (p *parser) texts() map[string]string {
	all, last := map[string]string{}, ""
	for !p.failed {
		name := p.text()
		if len(all) > 0 && name <= last || len(all) == maxNames {
			p.failed = true
		}
		last = name
		p.want(`:`)
		all[name] = p.text()
		if !p.has(`,`) {
			p.want(`}`)
			return all
		}
	}
	return nil
}
