package etcdtest

import (
	"errors"
	"os"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Wipe kills the server, deletes its store and starts it again. Its cluster and
// member IDs are what they were; revisions begin anew.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	s.Kill()
	s.clear(t)
	s.Restart(t)
}

func (s *Server) clear(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(s.settings.Dir); err != nil {
		t.Fatal(err)
	}
}

// Backup is a copy of a store.
type Backup struct{ dir string }

// Backup copies the store. The server is away meanwhile, for a second or less.
func (s *Server) Backup(t testing.TB) Backup {
	t.Helper()
	b := Backup{t.TempDir()}
	s.Kill()
	copyDir(t, b.dir, s.settings.Dir)
	s.Restart(t)
	return b
}

// Restore kills the server, puts the copy in the place of its store and starts
// it again.
func (s *Server) Restore(t testing.TB, b Backup) {
	t.Helper()
	s.Kill()
	s.clear(t)
	copyDir(t, s.settings.Dir, b.dir)
	s.Restart(t)
}

func copyDir(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// Compact forgets all history up to now.
func (s *Server) Compact(t testing.TB) {
	t.Helper()
	client := s.Client(t)
	now, err := client.Get(limited(t), "any")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(limited(t), now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
}

const ballast = "etcdtest/ballast"

// FillUp writes until a server with a quota raises its NOSPACE alarm: it then
// renews and deletes, but neither grants nor puts.
func (s *Server) FillUp(t testing.TB) {
	t.Helper()
	client := s.Client(t)
	for range 10_000 {
		_, err := client.Put(limited(t), ballast, strings.Repeat("x", 100<<10))
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("etcd is never full; was it started with a quota?")
}

// Disarm makes room again and takes back the alarm.
func (s *Server) Disarm(t testing.TB) {
	t.Helper()
	client := s.Client(t)
	if _, err := client.Delete(limited(t), ballast); err != nil {
		t.Fatal(err)
	}
	s.Compact(t)
	if _, err := client.Defragment(limited(t), s.Endpoint()); err != nil {
		t.Fatal(err)
	}
	alarms, err := client.AlarmList(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alarms.Alarms {
		if _, err := client.AlarmDisarm(limited(t), &clientv3.AlarmMember{MemberID: a.MemberID, Alarm: pb.AlarmType_NOSPACE}); err != nil {
			t.Fatal(err)
		}
	}
}

// Revision is that of the store now.
func (s *Server) Revision(t testing.TB) int64 {
	t.Helper()
	r, err := s.Client(t).Get(limited(t), "any")
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Revision
}
