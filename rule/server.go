package rule

import "github.com/fairlead-go/fairlead/internal/document"

// Server is what servers of the service let in, where their code has admission:
// its matches are about calls as the server sees them.
type Server struct {
	// Off: all calls are let in, whatever code said.
	Off bool `json:"off,omitempty"`
	// Limits are of each process. They know no key, and their caller is who the
	// client says that it is. Absent: as code says. An empty list is none, whatever
	// code said.
	Limits []RateLimit `json:"limits,omitzero"`
	// Concurrency is likewise; absent, and where code says nothing: one limit that
	// is learned.
	Concurrency []Concurrency `json:"concurrency,omitzero"`
}

// ServerTable is a [Server] ready for use. It is immutable.
type ServerTable struct {
	Off bool // whatever code said
	// Limits and Concurrency are as those of [Table].
	Limits      []LimitTable
	Concurrency []ConcurrencyTable
}

func (s *Server) table() *ServerTable {
	return &ServerTable{Off: s.Off, Limits: limitTables(s.Limits), Concurrency: concurrencyTables(s.Concurrency)}
}

func (d *decoder) server(n *document.Node, s *Server) {
	d.object(n, s, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &s.Off)
		case "limits":
			each(d, v, &s.Limits, (*decoder).rateLimit)
		case "concurrency":
			each(d, v, &s.Concurrency, (*decoder).concurrency)
		default:
			return false
		}
		return true
	})
}

func (c *checker) server(s *Server) {
	c.field("server")
	c.limits(s.Limits, c.serverLimit)
	c.concurrency(s.Concurrency, PerService, PerMethod, PerClass)
	c.back()
}

func (c *checker) serverLimit(l *RateLimit) {
	c.per(l.Per, PerService, PerMethod, PerCaller, PerClass, PerHeader)
	if l.Scope != "" && l.Scope != "process" {
		c.badField("scope", quote(l.Scope), "allowed is process: a server counts what comes to it")
	}
}
