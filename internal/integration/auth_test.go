package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// A service may write below its own name and nowhere else. What it may not do
// is said, and harms nothing of what it may.
func TestServiceWithThePermissionsOfOne(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	root := server.Client(t)
	ctx := t.Context()
	all, own := prefix(t), instanceKey(t, "orders", "")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(root.UserAdd(ctx, "root", "secret-root"))
	must(root.UserGrantRole(ctx, "root", "root"))
	must(root.RoleAdd(ctx, "orders"))
	must(root.RoleGrantPermission(ctx, "orders", all, clientv3.GetPrefixRangeEnd(all), clientv3.PermissionType(clientv3.PermRead)))
	must(root.RoleGrantPermission(ctx, "orders", own, clientv3.GetPrefixRangeEnd(own), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(root.UserAdd(ctx, "orders", "secret-orders"))
	must(root.UserGrantRole(ctx, "orders", "orders"))
	must(root.AuthEnable(ctx))

	c := config(t, server.Endpoint())
	c.Client.Username, c.Client.Password = "orders", "secret-orders"
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))

	denied, err := r.Register(ctx, discovery.Instance{Service: "users", ID: "b", Addr: "10.0.0.2:80"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason of the refusal", func() bool {
		return strings.Contains(denied.State().Reason, rpctypes.ErrPermissionDenied.Error())
	})
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := denied.Wait(short); !errors.Is(err, context.Canceled) || !errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("Wait: %v, want the end of the context and the trouble with etcd", err)
	}
	if s := reg.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("the permitted registration: %+v", s)
	}
	register(t, r, "orders", "c", "10.0.0.3:80")
	w.until("both", live("a", "c"))
}

// A client with a password fetches a token while it is made, and waits for it.
// Nobody who calls the registry does.
func TestNobodyWaitsForAPassword(t *testing.T) {
	t.Parallel()
	server := etcdtest.New(t) // down
	c := config(t, server.Endpoint())
	c.Client.Username, c.Client.Password = "orders", "secret-orders"
	c.Client.DialTimeout = 2 * patience
	within, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := open(t, c)
	if _, err := r.Register(within, discovery.Instance{Service: "orders", Addr: "10.0.0.2:80"}); err != nil {
		t.Fatal(err)
	}
	watch(t, r, "orders").until("cold list with an error", func(r report) bool { return r.State == discovery.Cold && r.err != nil })
	if err := r.Close(within); within.Err() != nil {
		t.Errorf("Close took longer than %s: %v", patience, err)
	}
}
