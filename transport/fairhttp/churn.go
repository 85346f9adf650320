package fairhttp

import "sync"

// churn watches for calls that find no idle connection. It is asked only when
// a connection was made, which costs far more than its lock.
type churn struct {
	mu          sync.Mutex
	from        int64 // attempts when the window began
	connections int64 // made in it
	peers       int   // instances seen
}

// A window is long enough for each instance to get its first connections
// without being noticed.
const (
	windowAttempts = 1000
	windowPerPeer  = 50
	mostFresh      = 5 // one in so many attempts
)

// made counts n connections to the instance of number peer, and reports
// whether there are too many for the number of attempts so far.
func (c *churn) made(n, peer int, attempts int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections += int64(n)
	c.peers = max(c.peers, peer+1)
	window := attempts - c.from
	if window < windowAttempts+windowPerPeer*int64(c.peers) {
		return false
	}
	tooMany := c.connections*mostFresh > window
	c.from, c.connections = attempts, 0
	return tooMany
}
