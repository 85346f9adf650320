package faults_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// Ten times as many calls come as instances can answer: with limits they answer
// nearly as many as they can, critical ones first, and all is as before soon after.
// The same with limits switched off shows that this is the limits' doing.
var (
	overloaded        = overload(fleet.HTTP1, "ten times the load, HTTP")
	overloadedGRPC    = overload(fleet.GRPC, "ten times the load, gRPC")
	overloadedServers = overload(fleet.HTTP1, "ten times the load, limits of servers alone", ofClients...)
	defenceless       = overload(fleet.HTTP1, "ten times the load, limits switched off", append(ofClients, "server")...)
)

// ofClients are the kinds of limits that clients have.
var ofClients = []string{"limits", "concurrency", "throttle"}

const (
	few          = 2 // instances
	fewWorkers   = 5 // of each
	mostInHand   = 30
	flood        = 5 * time.Second
	soonNormal   = 5 * time.Second // after the load is gone
	leastGoodput = 0.8             // of what can be done
	leastVital   = 1 - slack*0.01  // of critical calls; 0.99 is promised
)

// overloadRules are the rules of both: the server's part is the bound of what may be
// in hand, and that critical calls are believed to be so.
var overloadRules = fmt.Sprintf(`"retries":{"maxAttempts":3,"retryOn":["connect-failure","reset","timeout","overload"]},
	"throttle":{},"concurrency":[{"name":"each","per":"instance","adaptive":{}}],
	"server":{"concurrency":[{"name":"all","adaptive":{"max":%d}}]}`, mostInHand)

// mixed are the priorities of calls: the critical ones are half of what can be done,
// at ten times the load.
func mixed() (all []string) {
	for n := range 20 {
		p := ratelimit.Sheddable
		switch n = n * 7 % 20; {
		case n < 1:
			p = ratelimit.Critical
		case n < 8:
			p = ratelimit.Default
		}
		all = append(all, p.String())
	}
	return all
}

func overload(p fleet.Protocol, fault string, off ...string) row {
	limited := !slices.Contains(off, "server")
	return row{
		number: 42, fault: fault, heavy: true,
		setup: func(s *scene) {
			s.protocol, s.scale.warm, s.scale.deadline = p, 3*time.Second, time.Second
			s.tardy = s.scale.deadline // the caller, who has much to do
			s.base()
			s.fleet = fleet.New(s, s.via(s.fleetLink), service, time.Duration(float64(few*fewWorkers)/s.capacity()*float64(time.Second)))
			s.fleet.Protocol, s.fleet.Workers, s.fleet.Admission = p, fewWorkers, true
			s.fleet.Start(few)
			s.within(0, "all instances registered", s.allRegistered)
			revision := s.rule(document(overloadRules))
			if len(off) > 0 {
				s.switchOff(off...)
			}
			settings := s.calling(s.via(s.callerLink))
			settings.Rate, settings.Posts, settings.Priorities = s.capacity()/2, 0, mixed()
			s.start(settings, few)
			s.applied(revision)
		},
		inject: func(s *scene) { s.broken = time.Now(); s.caller.Pace(10 * s.capacity()) },
		hold:   func(s *scene) { s.sleep(flood) },
		heal:   func(s *scene) { s.caller.Pace(s.capacity() / 2) },
		recovered: func(s *scene) {
			if limited { // else some machines come back and others do not
				took, ok := s.normal(slack * soonNormal)
				if s.figure("normal after", took); !ok {
					s.Errorf("a second's calls do not succeed %s after the load", took)
				}
			}
			s.returned = time.Now()
		},
		check: func(s *scene) {
			if limited {
				s.keptWhatLimitsPromise(len(off) == 0)
			} else {
				s.broke()
			}
		},
	}
}

// capacity is how many calls a second the instances can answer.
func (s *scene) capacity() float64 { return s.scale.rate }

// switchOff is what an operator says who does not trust something.
func (s *scene) switchOff(what ...string) {
	s.Helper()
	text, err := json.Marshal(rule.Settings{
		APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: what}},
	})
	if err == nil {
		_, err = s.store.Put(s.Context(), etcd.DefaultPrefix+"settings", string(text))
	}
	if err != nil {
		s.Fatal(err)
	}
}

// normal waits for a second in which nearly all calls succeed.
func (s *scene) normal(limit time.Duration) (after time.Duration, ok bool) {
	began := time.Now()
	for before := s.caller.Status(); ; {
		s.sleep(time.Second)
		now := s.caller.Status()
		if started, failed := now.Started-before.Started, now.Failed-before.Failed; started > 0 && failed*100 <= started {
			return time.Since(began) - time.Second, true
		}
		if before = now; time.Since(began) > limit {
			return time.Since(began), false
		}
	}
}

// sorted are the calls that were made between two moments, and how they ended.
type sorted struct {
	all, succeeded, withheld int
	refused                  int // by instances, attempts
	vital, vitalSucceeded    int // critical ones
	bulk, bulkSucceeded      int // sheddable ones
	cost                     []time.Duration
}

func (s *scene) sorted(from, to time.Time) (n sorted) {
	for _, c := range s.history.Calls {
		if c.Start < s.history.Moment(from) || c.Start >= s.history.Moment(to) {
			continue
		}
		n.all++
		well := c.Err == ""
		count := func(is bool, all, succeeded *int) {
			if is {
				*all++
			}
			if is && well {
				*succeeded++
			}
		}
		count(well, &n.succeeded, new(int))
		count(c.Priority == ratelimit.Critical.String(), &n.vital, &n.vitalSucceeded)
		count(c.Priority == ratelimit.Sheddable.String(), &n.bulk, &n.bulkSucceeded)
		if c.Stage == "limit" && len(c.Attempts) == 0 {
			n.withheld++
			n.cost = append(n.cost, c.End-c.Start)
		}
		for _, a := range c.Attempts {
			if a.Outcome == "overload" {
				n.refused++
			}
		}
	}
	slices.Sort(n.cost)
	return n
}

// goodput is what was done of what can be.
func (s *scene) goodput() (share float64, during sorted) {
	during = s.sorted(s.broken, s.mended)
	share = float64(during.succeeded) / s.mended.Sub(s.broken).Seconds() / s.capacity()
	s.figure("goodput, of the capacity", share)
	s.figure("calls not sent", during.withheld)
	s.figure("attempts refused by instances", during.refused)
	return share, during
}

// keptWhatLimitsPromise judges limits of servers, and those of clients where there are any.
func (s *scene) keptWhatLimitsPromise(ofClients bool) {
	s.Helper()
	if before := s.sorted(s.broken.Add(-s.scale.warm/3), s.broken); before.succeeded*100 < before.all*99 || before.all == 0 {
		s.Errorf("before, %d of %d calls succeeded, though there was room for twice as many", before.succeeded, before.all)
	}
	share, during := s.goodput()
	if share < leastGoodput {
		s.Errorf("of what can be done %.2f was, want %.2f", share, leastGoodput)
	}
	vital := float64(during.vitalSucceeded) / float64(max(1, during.vital))
	s.figure("critical calls that succeeded", vital)
	s.figure("sheddable calls that succeeded", float64(during.bulkSucceeded)/float64(max(1, during.bulk)))
	if during.vital < 100 || vital < leastVital {
		s.Errorf("of %d critical calls %.3f succeeded, want %.2f", during.vital, vital, leastVital)
	}
	if during.bulkSucceeded*2 > during.bulk {
		s.Errorf("of %d sheddable calls %d succeeded, which should go first", during.bulk, during.bulkSucceeded)
	}
	switch {
	case ofClients && during.withheld < during.all/4:
		s.Errorf("of %d calls only %d were refused before they were sent", during.all, during.withheld)
	case ofClients:
		s.figure("median cost of a call that is not sent", during.cost[len(during.cost)/2].String())
		s.figure("p99 of it", during.cost[len(during.cost)*99/100].String())
	case during.withheld > 0 || during.refused < during.all/4:
		s.Errorf("of %d calls %d were not sent, and instances refused %d", during.all, during.withheld, during.refused)
	}
	for _, i := range s.fleet.Running() {
		is, err := i.Status(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		s.figure("most in hand at "+i.ID, is.MostInHand)
		if is.MostInHand > mostInHand {
			s.Errorf("%s had %d calls in hand, and may have %d", i.ID, is.MostInHand, mostInHand)
		}
	}
	after := s.quantile(0.99, s.returned, s.returned.Add(s.scale.settle))
	s.figure("p99 before", s.quantile(0.99, s.broken.Add(-s.scale.warm/3), s.broken))
	s.figure("p99 after", after)
	if after > s.scale.deadline/2 {
		s.Errorf("calls take up to %s, after all", after)
	}
}

// broke says that without limits none of it is kept, which is why the row above says
// something.
func (s *scene) broke() {
	s.Helper()
	share, during := s.goodput()
	s.figure("critical calls that succeeded", float64(during.vitalSucceeded)/float64(max(1, during.vital)))
	s.figure("most in hand", s.all(func(is fleet.Status) int64 { return is.MostInHand }))
	if share >= leastGoodput || float64(during.vitalSucceeded) >= leastVital*float64(during.vital) {
		s.Errorf("without limits %.2f of what can be done was, and %d of %d critical calls succeeded", share, during.vitalSucceeded, during.vital)
	}
	if during.withheld+during.refused > 0 {
		s.Errorf("%d calls were not sent and %d attempts refused, though limits are off", during.withheld, during.refused)
	}
}
