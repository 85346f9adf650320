package etcdtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

func TestMain(m *testing.M) { etcdtest.Main(m) }

const patience = time.Minute

func put(t *testing.T, c *clientv3.Client, key string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.Put(ctx, key, "value")
	return err
}

func mustPut(t *testing.T, c *clientv3.Client, key string) {
	t.Helper()
	if err := put(t, c, key); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, c *clientv3.Client, key string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := c.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return r.Count == 1
}

func TestStoreSurvivesAKillAndNotAWipe(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t)
	c := s.Client(t)
	mustPut(t, c, "a")
	before, err := c.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart(t)
	if !has(t, c, "a") {
		t.Error("the store is empty after a kill")
	}
	s.Wipe(t)
	if has(t, c, "a") {
		t.Error("the store is there after a wipe")
	}
	// What makes wiping so treacherous.
	after, err := c.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if after.Header.ClusterId != before.Header.ClusterId || after.Header.MemberId != before.Header.MemberId || after.Header.Revision >= before.Header.Revision {
		t.Errorf("the header was %v and is %v, want the same IDs and a smaller revision", before.Header, after.Header)
	}
}

func TestRestoreBringsBackTheBackup(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t)
	c := s.Client(t)
	mustPut(t, c, "before")
	b := s.Backup(t)
	mustPut(t, c, "after")
	s.Restore(t, b)
	if !has(t, c, "before") || has(t, c, "after") {
		t.Error("the store is not that of the backup")
	}
}

func TestCompactForgets(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t)
	c := s.Client(t)
	mustPut(t, c, "a")
	old := s.Revision(t) - 1
	s.Compact(t)
	if _, err := c.Get(t.Context(), "a", clientv3.WithRev(old)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("reading revision %d: %v, want it compacted", old, err)
	}
}

func TestFullServerRefusesPutsUntilDisarmed(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t, etcdtest.WithQuota(2<<20))
	c := s.Client(t)
	s.FillUp(t)
	if err := put(t, c, "a"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("put into a full store: %v", err)
	}
	s.Disarm(t)
	mustPut(t, c, "a")
}

func TestPausedServerAnswersNobody(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t)
	c := s.Client(t)
	mustPut(t, c, "a")
	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := c.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused server answers: %v", err)
	}
	s.Resume(t)
	mustPut(t, c, "a")
}

func TestUsersMayDoWhatTheyMay(t *testing.T) {
	t.Parallel()
	ca := etcdtest.NewCA(t)
	for name, tt := range map[string]struct {
		options []etcdtest.Option
		user    etcdtest.User
		as      clientv3.Config
	}{
		"by password":    {nil, etcdtest.User{Name: "ann", Password: "secret", Write: "ann/"}, clientv3.Config{Username: "ann", Password: "secret"}},
		"by certificate": {[]etcdtest.Option{etcdtest.WithTLS(ca)}, etcdtest.User{Name: "ann", Write: "ann/"}, clientv3.Config{TLS: ca.Client("ann")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := etcdtest.Start(t, tt.options...)
			root := s.EnableAuth(t, tt.user)
			tt.as.Endpoints = []string{s.Endpoint()}
			ann := etcdtest.NewClient(t, tt.as)
			mustPut(t, ann, "ann/a")
			mustPut(t, root, "b")
			if err := put(t, ann, "b"); !errors.Is(err, rpctypes.ErrPermissionDenied) {
				t.Errorf("ann writes outside of what is hers: %v", err)
			}
		})
	}
}

func TestNobodyEntersWithoutACertificate(t *testing.T) {
	t.Parallel()
	s := etcdtest.Start(t, etcdtest.WithTLS(etcdtest.NewCA(t)))
	mustPut(t, s.Client(t), "a")
	stranger := etcdtest.NewClient(t, clientv3.Config{Endpoints: []string{s.Endpoint()}, TLS: etcdtest.NewCA(t).Client("stranger")})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := stranger.Get(ctx, "a"); err == nil {
		t.Error("a certificate of another authority is accepted")
	}
}

func TestCertificateIsThatOfOneServer(t *testing.T) {
	t.Parallel()
	ca := etcdtest.NewCA(t)
	s := etcdtest.Start(t, etcdtest.WithTLS(ca))
	dial := func(addr string) error {
		c, err := tls.Dial("tcp", addr, ca.Client("root"))
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := dial(s.Endpoint()); err != nil {
		t.Errorf("at its own address: %v", err)
	}
	elsewhere := tcpproxy.New(t, s.Endpoint())
	if _, ok := errors.AsType[x509.HostnameError](dial(elsewhere.Addr())); !ok {
		t.Error("it is accepted at another address, too")
	}
}

func TestClusterOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	c := etcdtest.StartCluster(t, 3)
	client := c.Client(t)
	mustPut(t, client, "a")
	dead := c.Leader(t)
	c.Members[dead].Kill()
	if now := c.Leader(t); now == dead {
		t.Errorf("member %d leads after its death", now)
	}
	mustPut(t, client, "b")
	c.Members[dead].Restart(t)
	if one := c.Members[dead].Client(t); !has(t, one, "b") {
		t.Error("the member that came back does not know what was written meanwhile")
	}
}

func TestReplacedMemberHasTheStore(t *testing.T) {
	t.Parallel()
	c := etcdtest.StartCluster(t, 3)
	mustPut(t, c.Client(t), "a")
	old := c.Members[1].Endpoint()
	c.Replace(t, 1)
	if c.Members[1].Endpoint() == old {
		t.Error("the new member is at the address of the old one")
	}
	if !has(t, c.Members[1].Client(t), "a") {
		t.Error("the new member does not know the store")
	}
}
