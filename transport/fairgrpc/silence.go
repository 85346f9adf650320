package fairgrpc

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

// renewAfter is how long a connection is given before it is replaced once more, so
// that a server which is slow is not kept busy with handshakes.
const renewAfter = 10 * time.Second

// silence finds out that a connection is half open: nobody has closed it, and
// nothing comes out of it. gRPC would find that out by pings, of which it allows
// one in ten seconds and servers by default one in five minutes, or never. Two
// unary calls whose time was up without a byte of an answer, and none that had one
// between them, are reason enough for another connection: the calls on the old one
// go on, and until the new one is ready others go elsewhere.
//
// It lasts as long as the address is called. Calls that are answered only read it.
type silence struct {
	suspected atomic.Bool   // the last call had no answer
	renewed   atomic.Int64  // when the connection was last replaced, by balancer.Now
	number    atomic.Uint32 // of the connection
}

// heard takes note of how a unary call on the connection ended, and reports whether
// that has to be replaced.
func (s *silence) heard(o transport.Outcome) (renew bool) {
	switch {
	case o.Answered:
		if s.suspected.Load() {
			s.suspected.Store(false)
		}
		return false
	case o.Class != transport.Timeout || o.Late || !o.Sent:
		return false
	case !s.suspected.Swap(true):
		return false
	}
	now, last := int64(balancer.Now()), s.renewed.Load()
	if last != 0 && now-last < int64(renewAfter) || !s.renewed.CompareAndSwap(last, now) {
		return false
	}
	s.suspected.Store(false)
	s.number.Add(1)
	return true
}
