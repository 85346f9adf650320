package faults_test

import (
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/caller"
)

// put writes records under a lease of the test's own, which ends with s.revoke.
func (s *scene) put(records map[string]string) {
	s.Helper()
	lease, err := s.store.Grant(s.Context(), 600)
	if err != nil {
		s.Fatal(err)
	}
	s.lease = lease.ID
	for id, value := range records {
		if _, err := s.store.Put(s.Context(), etcd.DefaultPrefix+"instances/"+service+"/"+id, value, clientv3.WithLease(lease.ID)); err != nil {
			s.Fatalf("%s: %v", id, err)
		}
	}
}

func (s *scene) revoke() {
	s.Helper()
	if _, err := s.store.Revoke(s.Context(), s.lease); err != nil {
		s.Fatal(err)
	}
}

// garbage are values that no instance ever wrote, each an instance's record
// but for one thing.
func garbage() map[string]string {
	record := func(id, with string) string {
		return fmt.Sprintf(`{"Op":0,"Addr":"10.255.255.1:80","Metadata":{"id":%q,"service":%q%s}}`, id, service, with)
	}
	return map[string]string{
		"empty":        "",
		"no-json":      "\x00\x01\x02",
		"cut-off":      record("cut-off", "")[:40],
		"other-types":  record("other-types", `,"weight":"heavy"`),
		"not-a-record": `[1,2,3]`,
		"twice":        record("twice", `,"weight":1,"weight":2`),
		"huge":         record("huge", `,"meta":{"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"deep":         record("deep", `,"meta":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)),
		"deeper":       strings.Repeat(`{"Metadata":`, 64) + "1" + strings.Repeat("}", 64),
		"of-another":   record("somebody-else", ""),
	}
}

// malformed: what cannot be read is skipped and counted, and that is all.
var malformed = row{
	number: 38, fault: "malformed records",
	inject: func(s *scene) {
		s.put(garbage())
		s.within(0, "all refusals counted", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.Refused == len(garbage())
		})
	},
	heal: func(s *scene) { s.revoke() },
	recovered: func(s *scene) {
		s.within(0, "no refusals", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.Refused == 0 && s.sees(instances)()
		})
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// addresses that nobody may be sent to. The loopback ones that etcd and the
// test themselves use are allowed here, since the registry is on this host.
func (s *scene) addresses() map[string]string {
	records := map[string]string{}
	for n, addr := range []string{
		"169.254.169.254:80",          // where clouds keep their credentials
		"[fe80::1]:80",                // link-local
		"[::ffff:169.254.169.254]:80", // the same in disguise
		"0.0.0.0:80", "[::]:80",
		"224.0.0.1:80", "255.255.255.255:80",
		"127.0.0.1:0",
		"unix:/run/docker.sock",
		"localhost:80@evil.example",
		"evil.example:80",
		"10.0.0.1:80/path",
		"10.0.0.1",
		" 10.0.0.1:80",
	} {
		id := fmt.Sprintf("%s%d", caller.Hostile, n)
		records[id] = fmt.Sprintf(`{"Op":0,"Addr":%q,"Metadata":{"id":%q,"service":%q}}`, addr, id, service)
		id += "-endpoint"
		records[id] = fmt.Sprintf(`{"Op":0,"Addr":"10.1.1.%d:9","Metadata":{"id":%q,"service":%q,"endpoints":[{"protocol":"http","addr":%q}]}}`, n+1, id, service, addr)
	}
	return records
}

// hostile: a record cannot send calls where they must not go. That nobody was
// called who may not be is among the rules of every history.
var hostile = row{
	number: 40, fault: "hostile addresses",
	inject: func(s *scene) {
		records := s.addresses()
		s.put(records)
		s.within(0, "all refused and counted", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.Refused+seen.Forbidden+seen.Ignored >= len(records)
		})
	},
	heal: func(s *scene) { s.revoke() },
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}
