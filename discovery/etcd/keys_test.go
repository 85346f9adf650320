package etcd

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestKeys(t *testing.T) {
	k := keys{prefix: "fairlead/v1/"}
	for got, want := range map[string]string{
		k.service("orders"):       "fairlead/v1/instances/orders/",
		k.instance("orders", "a"): "fairlead/v1/instances/orders/a",
		k.epoch():                 "fairlead/v1/epoch",
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func TestLastSegment(t *testing.T) {
	const prefix = "p/instances/user/"
	for _, c := range []struct {
		name, key, id string
		ok            bool
	}{
		{"Plain", prefix + "a", "a", true},
		{"Address", prefix + "10.0.0.1:80", "10.0.0.1:80", true},
		{"Deeper", prefix + "a/b", "", false},
		{"ClosedBySlash", prefix + "a/", "", false},
		{"Nothing", prefix, "", false},
		{"Neighbour", "p/instances/user-admin/a", "", false},
		{"Elsewhere", "a", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, ok := lastSegment(prefix, c.key)
			if ok != c.ok || ok && id != c.id {
				t.Errorf("lastSegment = %q, %t; want %q, %t", id, ok, c.id, c.ok)
			}
		})
	}
}

// A key belongs to the service it was made for, and to no other.
func FuzzKeyParse(f *testing.F) {
	f.Add("user", "a", "user-admin")
	f.Add("user", "10.0.0.1:80", "user")
	f.Add("a.b", "..", "a")
	f.Fuzz(func(t *testing.T, service, id, other string) {
		if discovery.ValidateService(service) != nil || discovery.ValidateService(other) != nil {
			return
		}
		if (discovery.Instance{Service: service, ID: id, Addr: "10.0.0.1:80"}).Validate() != nil {
			return
		}
		k := keys{prefix: DefaultPrefix}
		key := k.instance(service, id)
		if got, ok := lastSegment(k.service(service), key); !ok || got != id {
			t.Errorf("%q is read as %q, %t", key, got, ok)
		}
		if strings.HasPrefix(key, k.service(other)) != (service == other) {
			t.Errorf("%q is below the prefix of %q", key, other)
		}
	})
}
