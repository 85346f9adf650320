package etcd

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestLocal(t *testing.T) {
	for _, row := range []struct {
		name      string
		endpoints []string
		sync      time.Duration
		local     bool
	}{
		{"loopback", []string{"127.0.0.1:2379"}, 0, true},
		{"loopback with a scheme", []string{"http://127.0.0.1:2379", "https://127.1.2.3:2379"}, 0, true},
		{"IPv6 loopback", []string{"[::1]:2379", "https://[::1]:2379"}, 0, true},
		{"loopback mapped into IPv6", []string{"[::ffff:127.0.0.1]:2379"}, 0, true},
		{"localhost", []string{"localhost:2379", "http://LocalHost:2379"}, 0, true},
		{"unix socket", []string{"unix:///run/etcd.sock", "unixs:/run/etcd.sock"}, 0, true},

		{"elsewhere", []string{"10.0.0.1:2379"}, 0, false},
		{"by name", []string{"http://etcd.example:2379"}, 0, false},
		{"by a name like localhost", []string{"localhost.example:2379"}, 0, false},
		{"one of two elsewhere", []string{"127.0.0.1:2379", "10.0.0.1:2379"}, 0, false},
		{"all interfaces", []string{"0.0.0.0:2379"}, 0, false},
		{"members that the client finds out by itself", []string{"127.0.0.1:2379"}, time.Minute, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := New(Config{Client: clientv3.Config{Endpoints: row.endpoints, AutoSyncInterval: row.sync}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close(context.Background())
			if got := r.Local(); got != row.local {
				t.Errorf("Local() = %t of %q", got, row.endpoints)
			}
		})
	}
}
