package etcdtest

import (
	"os"
	"testing"
)

// Wipe kills the server, deletes its store and starts it again. Its cluster and
// member IDs are what they were; revisions begin anew.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}
