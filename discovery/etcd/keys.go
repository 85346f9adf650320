package etcd

import (
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// keys is the layout of the store: what stands where below the prefix.
type keys struct {
	prefix string // ends in a slash
}

// service is the prefix of the keys of a service's instances. It ends in a
// slash, so that user does not contain user-admin.
func (k keys) service(name string) string { return k.prefix + "instances/" + name + "/" }

func (k keys) instance(service, id string) string { return k.service(service) + id }

// overrides is the prefix of what operators say of a service's instances.
func (k keys) overrides(service string) string { return k.prefix + "overrides/" + service + "/" }

func (k keys) override(service, id string) string { return k.overrides(service) + id }

// client is the key under which the process with an ID says that it calls a
// service.
func (k keys) client(callee, id string) string { return k.clients(callee) + id }

// clients is the prefix of the keys of those who call a service.
func (k keys) clients(callee string) string { return k.prefix + "clients/" + callee + "/" }

// rule is the key of a service's rules.
func (k keys) rule(service string) string { return k.prefix + "rules/" + service }

// settings is the key of the switches of all services.
func (k keys) settings() string { return k.prefix + "settings" }

// everywhere stands in the place of a service, whose name cannot be this, for
// what the settings were.
const everywhere = "*"

// versions is the prefix of the keys of what the rules of a service were.
func (k keys) versions(service string) string { return k.prefix + "history/" + service + "/" }

// version is the key of one of them. Keys are in the order of their numbers.
func (k keys) version(service string, n int64) string {
	return fmt.Sprintf("%s%012d", k.versions(service), n)
}

// epoch is the key of the value that tells one store from another.
func (k keys) epoch() string { return k.prefix + "epoch" }

// span is some of the keys of a store, from one on up to another that is not
// among them.
type span struct{ from, to string }

// below are all keys that begin with a prefix.
func below(prefix string) span { return span{prefix, clientv3.GetPrefixRangeEnd(prefix)} }

// just is one key.
func just(key string) span { return span{key, key + "\x00"} }

// lastSegment returns what comes after prefix, if that is one segment.
func lastSegment(prefix, key string) (string, bool) {
	id, ok := strings.CutPrefix(key, prefix)
	return id, ok && id != "" && !strings.Contains(id, "/")
}
