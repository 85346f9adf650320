package etcdtest

import (
	"encoding/json"
	"net/url"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/fairlead-go/fairlead/internal/integration/child"
)

// role is the child that is a server.
var role = child.Role{Name: "etcd", Run: serve}

// settings are what a server is told.
type settings struct {
	Name         string
	Dir          string
	Client, Peer string // addresses, the same after each restart
	Cluster      string // "name=url,…"; empty: alone
	Joining      bool   // a cluster that runs already
	Quota        int64  // bytes of the store; 0: etcd's default
	TokenSeconds uint   // how long an auth token lives; 0: etcd's default
	TLS          Files  // zero: plaintext
}

// serve returns only when the server fails.
func serve(raw []byte, ready func(any)) error {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	e, err := embed.StartEtcd(s.config())
	if err != nil {
		return err
	}
	select {
	case <-e.Server.ReadyNotify():
		ready(struct{}{})
	case err := <-e.Err():
		return err
	}
	return <-e.Err()
}

func (s settings) config() *embed.Config {
	c := embed.NewConfig()
	c.Name, c.Dir = s.Name, s.Dir
	c.LogLevel = "fatal"
	c.UnsafeNoFsync = true
	c.TickMs, c.ElectionMs = 50, 500 // elected within a second, and not anew whenever the machine is busy
	c.QuotaBackendBytes = s.Quota
	c.BcryptCost = 4 // the least: passwords are checked with every token
	if s.TokenSeconds > 0 {
		c.AuthTokenTTL = s.TokenSeconds
	}
	scheme := "http"
	if s.TLS != (Files{}) {
		scheme = "https"
		c.ClientTLSInfo = transport.TLSInfo{CertFile: s.TLS.Cert, KeyFile: s.TLS.Key, TrustedCAFile: s.TLS.CA, ClientCertAuth: true}
	}
	c.ListenClientUrls, c.AdvertiseClientUrls = urls(scheme, s.Client), urls(scheme, s.Client)
	c.ListenPeerUrls, c.AdvertisePeerUrls = urls("http", s.Peer), urls("http", s.Peer)
	c.InitialCluster = s.Cluster
	if s.Cluster == "" {
		c.InitialCluster = c.InitialClusterFromName(c.Name)
	}
	c.StrictReconfigCheck = false // it wants members that are seconds old
	if s.Joining {
		c.ClusterState = embed.ClusterStateFlagExisting
	}
	return c
}

func urls(scheme, addr string) []url.URL { return []url.URL{{Scheme: scheme, Host: addr}} }
