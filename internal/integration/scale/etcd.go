package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// memberRole is a worker that is one member of an etcd cluster.
const memberRole = "etcd"

type memberTask struct {
	Name, Dir, Client, Peer string
	Cluster                 string // all members, as etcd's flag of that name wants them
}

// serveMember runs etcd with its defaults, so that what it costs at rest is
// what it costs anywhere. Only the disk is not waited for: it is not etcd's
// disk that is to be measured.
func serveMember(t memberTask) (worker.Answers, error) {
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = t.Name, t.Dir, t.Cluster
	c.LogLevel = "fatal"
	c.UnsafeNoFsync = true
	c.ListenClientUrls = []url.URL{{Scheme: "http", Host: t.Client}}
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: t.Peer}}
	c.AdvertiseClientUrls, c.AdvertisePeerUrls = c.ListenClientUrls, c.ListenPeerUrls
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return worker.Answers{}, nil
	case err := <-e.Err():
		return nil, err
	}
}

// cluster is an etcd of one member or several, each a process.
type cluster struct {
	dir       string
	endpoints []string
	members   []*worker.Process
}

// startCluster starts one with an empty store.
func startCluster(ctx context.Context, size int) (*cluster, error) {
	dir, err := os.MkdirTemp("", "fairlead-scale-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, members: make([]*worker.Process, size)}
	tasks := make([]memberTask, size)
	var all []string
	for n := range tasks {
		name := "m" + strconv.Itoa(n)
		client, err := loopback.Addr()
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		peer, err := loopback.Addr()
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		tasks[n] = memberTask{Name: name, Dir: filepath.Join(dir, name), Client: client, Peer: peer}
		all = append(all, name+"=http://"+tasks[n].Peer)
		c.endpoints = append(c.endpoints, tasks[n].Client)
	}
	errs := make([]error, size)
	var starting sync.WaitGroup // a member is ready only with the others
	for n, t := range tasks {
		t.Cluster = strings.Join(all, ",")
		starting.Go(func() { c.members[n], errs[n] = worker.Start(ctx, memberRole, t) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) stop() error {
	for _, m := range c.members {
		if m != nil {
			m.Kill()
		}
	}
	return os.RemoveAll(c.dir)
}

// gauge adds up a gauge of all members' metrics.
func (c *cluster) gauge(ctx context.Context, name string) (float64, error) {
	sum := 0.0
	for _, e := range c.endpoints {
		v, err := gauge(ctx, e, name)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, nil
}

func gauge(ctx context.Context, endpoint, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+endpoint+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("etcd at %s has no metric %s", endpoint, name)
}

// connect returns an etcd client that logs nothing.
func connect(endpoints ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:          endpoints,
		MaxCallRecvMsgSize: 64 << 20,
		Logger:             clientv3.NewCtxClient(context.Background()).GetLogger(),
	})
}
