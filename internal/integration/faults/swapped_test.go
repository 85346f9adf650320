package faults_test

import (
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/rule"
)

// swapped: the list and the rules change as fast as they can, under several times
// the load. Each rule is about one of five instances, or about guests that come
// and go. So whoever else is called is so by half a rule, or by none.
var swapped = row{
	number: 50, fault: "lists and rules swapped under load", heavy: true,
	setup: func(s *scene) {
		s.scale.rate *= 4
		if race {
			s.scale.rate /= 2
		}
		ruled(s)
	},
	inject: func(s *scene) {
		s.aliases = map[string]string{}
		named := s.fleet.Running()[:instances/2]
		for n, i := range named {
			s.aliases[fmt.Sprint("guest", n)] = i.ID
		}
		s.applied(s.rule(s.policy(only(), named[0].ID)))
		s.broken = time.Now()
		changes := 0
		for began := time.Now(); time.Since(began) < 5*time.Second; s.sleep(10 * time.Millisecond) {
			n := changes % len(named)
			if changes%2 == 0 {
				s.rule(s.policy(only(), named[n].ID))
			} else {
				s.rule(s.guests(named[n].ID))
			}
			guest := etcd.DefaultPrefix + "instances/" + service + "/" + fmt.Sprint("guest", n)
			op := clientv3.OpDelete(guest)
			if changes/len(named)%2 == 0 {
				op = clientv3.OpPut(guest, fmt.Sprintf(
					`{"Op":0,"Addr":%q,"Metadata":{"id":"guest%d","service":%q,"endpoints":[{"protocol":"http","addr":%q}],"meta":{"group":"guests"}}}`,
					named[n].Addr, n, service, named[n].Addr))
			}
			if _, err := s.store.Do(s.Context(), op); err != nil {
				s.Fatal(err)
			}
			changes++
		}
		s.figure("changes of each per second", changes/5)
	},
	hold: func(s *scene) {},
	check: func(s *scene) {
		s.noneFailed()
		lists := 0
		for _, l := range s.history.Lists {
			if l.At > s.history.Moment(s.broken) && l.At < s.history.Moment(s.mended) {
				lists++
			}
		}
		s.figure("lists that calls were served from", lists)
		if lists < 10 {
			s.Errorf("the list was swapped %d times, which shows nothing", lists)
		}
		may := s.fleet.All[:instances/2]
		for _, c := range s.history.Calls {
			if c.Start < s.history.Moment(s.broken) {
				continue
			}
			for _, a := range c.Attempts {
				_, guest := s.aliases[a.Instance]
				if !guest && !slices.ContainsFunc(may, func(i *fleet.Instance) bool { return i.ID == a.Instance }) {
					s.Fatalf("call %d went to %s, which no rule names: %+v", c.ID, a.Instance, c)
				}
			}
		}
	},
}

// guests is a rule about them, with an instance that takes their place while
// there are none.
func (s *scene) guests(id string) string {
	route := only()
	route.Fallback = "other"
	return s.marshalled(rule.Spec{
		Routes: []rule.Route{route},
		Subsets: []rule.Subset{
			{Name: "some", Labels: map[string]string{"group": "guests"}},
			{Name: "other", Labels: map[string]string{"id": id}},
		},
	})
}
