package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Cluster is several etcds with one store. Its methods are for one goroutine.
type Cluster struct {
	Members []*Server
	born    int // members ever made
}

// StartCluster starts n members and stops them with the test.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range n {
		c.Members = append(c.Members, c.newMember(t))
	}
	cluster := c.peers()
	var starting sync.WaitGroup // none serves before most of them run
	errs := make([]error, n)
	for i, m := range c.Members {
		m.settings.Cluster = cluster
		starting.Go(func() { errs[i] = m.start() })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) newMember(t testing.TB) *Server {
	t.Helper()
	m := New(t)
	m.settings.Name = fmt.Sprintf("member-%d", c.born)
	c.born++
	return m
}

func (c *Cluster) peers() string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.settings.Name+"=http://"+m.settings.Peer)
	}
	return strings.Join(all, ",")
}

// Endpoints are those of all members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Endpoint())
	}
	return all
}

// Client returns an etcd client of the test's own that uses all members.
func (c *Cluster) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return NewClient(t, clientv3.Config{Endpoints: c.Endpoints()})
}

// Leader returns the index of the member that leads, as soon as one does.
func (c *Cluster) Leader(t testing.TB) int {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; {
		for i, m := range c.Members {
			if m.process != nil && m.leads() {
				return i
			}
		}
	}
	t.Fatal("the cluster has no leader")
	return 0
}

// leads asks the member itself; one that is paused says nothing.
func (s *Server) leads() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Endpoint()}, Logger: clientv3.NewCtxClient(ctx).GetLogger()})
	if err != nil {
		return false
	}
	defer client.Close()
	r, err := client.Status(ctx, s.Endpoint())
	return err == nil && r.Header.MemberId == r.Leader
}

// Replace takes the member i out of the cluster for ever and puts a new one in
// its place, at another address and with an empty store.
func (c *Cluster) Replace(t testing.TB, i int) {
	t.Helper()
	old := c.Members[i]
	var others []string
	for _, m := range c.Members {
		if m != old {
			others = append(others, m.Endpoint())
		}
	}
	client := NewClient(t, clientv3.Config{Endpoints: others})
	members, err := client.MemberList(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	old.Kill()
	c.Leader(t)
	for _, m := range members.Members {
		if m.Name == old.settings.Name {
			if _, err := client.MemberRemove(limited(t), m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	os.RemoveAll(old.settings.Dir)

	c.Members[i] = c.newMember(t)
	m := c.Members[i]
	if _, err := client.MemberAdd(limited(t), []string{"http://" + m.settings.Peer}); err != nil {
		t.Fatal(err)
	}
	m.settings.Cluster, m.settings.Joining = c.peers(), true
	m.Restart(t)
}
