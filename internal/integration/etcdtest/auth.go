package etcdtest

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// RootPassword is that of the user root.
const RootPassword = "secret-root"

// User is somebody who may read, or also write, what begins with a prefix.
type User struct {
	Name, Password string // no password: known by certificate only
	Read, Write    string // prefixes; empty: nothing
}

// EnableAuth makes the server ask who is there. It returns a client of root
// beside which no other of this server's clients works any more, unless a
// certificate says who they are.
func (s *Server) EnableAuth(t testing.TB, users ...User) *clientv3.Client {
	t.Helper()
	client := s.Client(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := limited(t)
	must(client.UserAdd(ctx, "root", RootPassword))
	must(client.UserGrantRole(ctx, "root", "root"))
	for _, u := range users {
		must(client.UserAddWithOptions(ctx, u.Name, u.Password, &clientv3.UserAddOptions{NoPassword: u.Password == ""}))
		must(client.RoleAdd(ctx, u.Name))
		must(client.UserGrantRole(ctx, u.Name, u.Name))
		for prefix, may := range map[string]clientv3.PermissionType{u.Read: clientv3.PermissionType(clientv3.PermRead), u.Write: clientv3.PermissionType(clientv3.PermReadWrite)} {
			if prefix != "" {
				must(client.RoleGrantPermission(ctx, u.Name, prefix, clientv3.GetPrefixRangeEnd(prefix), may))
			}
		}
	}
	must(client.AuthEnable(ctx))
	c := clientv3.Config{Endpoints: []string{s.Endpoint()}, TLS: s.tls}
	if s.tls == nil {
		c.Username, c.Password = "root", RootPassword
	}
	return NewClient(t, c)
}
