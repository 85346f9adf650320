// Package fleet runs instances of a service for tests: real HTTP servers in
// processes of their own, registered in etcd, which can be killed, paused and
// terminated.
package fleet

import (
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// Registry says where etcd is, in a form that a child can be told.
type Registry struct {
	Endpoints          []string
	TTL                time.Duration
	Username, Password string
	TLS                etcdtest.Files // zero: plaintext
}

// Config is the configuration of a registry whose calls are counted by c.
func (r Registry) Config(c *Calls) (etcd.Config, error) {
	config := etcd.Config{TTL: r.TTL, Client: clientv3.Config{
		Endpoints: r.Endpoints, Username: r.Username, Password: r.Password,
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(c.intercept)},
	}}
	if r.TLS != (etcdtest.Files{}) {
		var err error
		if config.Client.TLS, err = r.TLS.Client(); err != nil {
			return etcd.Config{}, err
		}
	}
	return config, nil
}
