package transport

import (
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Priority says how important the call is, whatever the rules and the call that it
// is made for say. The less important are refused first, by the limits of this
// process and by those of servers, and they have a retry budget and connections of
// their own. The default is [ratelimit.Default].
func Priority(p ratelimit.Priority) CallOption { return func(s *settings) { s.priority = &p } }

// OnBehalfOf says that calls are made for one of some priority, as the call that a
// server is working on. Doors say it of what their handlers do. Rules may lower it,
// and raise the priority of a call only where nothing lower is said here.
func OnBehalfOf(p ratelimit.Priority) CallOption { return behalves[p.Index()] }

// behalves are made once: servers say so of many calls.
var behalves = [ratelimit.NumberOfPriorities]CallOption{
	func(s *settings) { s.behalf = ratelimit.Sheddable },
	func(s *settings) { s.behalf = ratelimit.Default },
	func(s *settings) { s.behalf = ratelimit.Critical },
}

// prioritize tells a call what the rules say of its priority. A call is never more
// important than the sheddable one that it is made for.
func (c *Call) prioritize(said ratelimit.Priority) {
	switch {
	case c.prioritized:
	case c.Priority == ratelimit.Default:
		c.Priority = said
	default:
		c.Priority = min(c.Priority, said)
	}
}
