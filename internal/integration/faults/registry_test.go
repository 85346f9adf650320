package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// Etcd is away, slow, or does not know what it knew. The number of a row is
// that of the fault in the matrix; the comment says what it is that calls must
// not notice.

// atStartWithSnapshot: a process that starts while etcd is away calls whom the
// last one called.
var atStartWithSnapshot = row{
	number: 1, fault: "registry down at start, snapshot on disk",
	setup: func(s *scene) {
		s.usual()
		settings := s.calling(s.via(s.callerLink))
		settings.Snapshots = s.TempDir()
		s.caller = caller.Start(s, named("before", settings))
		s.caller.Learn()
		s.caller.Load()
		s.within(0, "a live list", s.sees(instances))
		s.wait(s.scale.warm) // or there is too little to judge by
		s.stop()
		s.etcd.Kill()
		s.caller = caller.Start(s, settings)
		s.figure("constructed after", s.caller.Constructed)
	},
	inject: func(s *scene) {
		s.caller.Load()
		s.within(0, "a stale list of all", func() bool {
			seen, ok := s.caller.Status().Service()
			return ok && seen.State == "stale" && seen.Age > 0 && len(serving(seen)) == instances
		})
	},
	heal: func(s *scene) { s.etcd.Restart(s) },
	recovered: func(s *scene) {
		s.figure("live after", s.within(3*time.Second+relist, "live list", s.sees(instances)))
	},
	check: func(s *scene) {
		s.figure("first call took", s.history.Calls[0].End-s.history.Calls[0].Start)
		s.noneFailed()
		s.neverFewer(instances)
	},
}

func named(name string, settings caller.Settings) caller.Settings {
	settings.Name = name
	return settings
}

// atStartWithoutSnapshot: calls that cannot be made fail at once and say why.
var atStartWithoutSnapshot = row{
	number: 2, fault: "registry down at start, no snapshot",
	setup: func(s *scene) {
		s.etcd = etcdtest.New(s)
		s.links()
		s.fleet = fleet.New(s, s.via(s.fleetLink), service, work)
		s.fleet.Start(instances) // they listen, and will register
		s.caller = caller.Start(s, s.calling(s.via(s.callerLink)))
		s.figure("constructed after", s.caller.Constructed)
	},
	inject: func(s *scene) { s.caller.Load() },
	heal:   func(s *scene) { s.etcd.Restart(s) },
	recovered: func(s *scene) {
		s.figure("registered after", s.within(5*time.Second, "all registered", s.allRegistered))
		s.figure("live after", s.within(5*time.Second+relist, "live list", s.sees(instances)))
		s.mended = time.Now()
	},
	check: func(s *scene) {
		s.figure("failing took", s.quantile(0.99, s.broken, s.broken.Add(s.scale.outage/2)))
		early, late := 0, 0
		for _, c := range s.history.Calls {
			switch {
			case c.Err == "":
				late++
			case c.NoInstances && c.Stage == "pick" && !c.TimedOut && !c.Maybe && len(c.Attempts) == 0 && c.Start < s.history.Moment(s.mended):
				early++
			default:
				s.Errorf("call %d failed, want it to say that there are no instances: %+v", c.ID, c)
			}
		}
		if early == 0 || late == 0 {
			s.Errorf("%d calls failed before and %d succeeded after, want some of both", early, late)
		}
	},
}

// registryDead: nobody needs etcd to make calls, and nobody storms it.
var registryDead = row{
	number: 3, fault: "registry dead",
	inject: func(s *scene) {
		s.before = s.atRest()
		s.broken = time.Now()
		s.etcd.Kill()
	},
	hold: func(s *scene) {
		s.sleep(4 * time.Second) // the beginning is another matter
		dials, began := s.callerLink.Accepted(), time.Now()
		s.wait(s.scale.outage / 4)
		early := s.atRest()
		s.wait(s.scale.outage * 3 / 4)
		dials, took := s.callerLink.Accepted()-dials, time.Since(began)
		ratio := float64(s.atRest().RSS) / float64(early.RSS)
		s.figure("RSS ratio", ratio)
		if s.scale == full() && ratio > 1+slack*0.02 { // sooner, the pools are still growing
			s.Errorf("RSS grew to %.3f of what it was after a quarter of the outage, %d", ratio, early.RSS)
		}
		// One each two seconds is the mean of waits that are spread by a fifth.
		if most := took.Seconds()/2*1.1 + 1; float64(dials) > most {
			s.Errorf("%d connections were tried in %s, allowed are %.0f", dials, took.Round(time.Second), most)
		}
		s.figure("dials per second", float64(dials)/took.Seconds())
	},
	heal: func(s *scene) { s.etcd.Restart(s) },
	recovered: func(s *scene) {
		s.figure("live after", s.within(5*time.Second+relist, "live list", s.sees(instances)))
		after := s.atRest()
		if after.Goroutines != s.before.Goroutines {
			s.Errorf("%d goroutines before the fault and %d after it", s.before.Goroutines, after.Goroutines)
		}
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// atRest measures the caller while it calls nobody.
func (s *scene) atRest() caller.Status {
	s.caller.Rest()
	defer s.caller.Load()
	s.sleep(time.Second) // connections end
	return s.caller.Measure()
}

// wiped: a store that knows nobody is no reason to call nobody. The instances
// come to it only when the caller has seen that it is empty.
var wiped = row{
	number: 4, fault: "registry data wiped",
	inject: func(s *scene) {
		s.revision = s.seenRevision()
		s.fleetLink.Cut()
		s.etcd.Wipe(s)
	},
	hold: func(s *scene) {
		s.figure("noticed after", s.within(30*time.Second, "a list of the new store", func() bool { return s.seenRevision() < s.revision }))
	},
	heal: func(s *scene) { s.fleetLink.Pass() },
	recovered: func(s *scene) {
		s.figure("registered after", s.within(45*time.Second, "all registered", s.allRegistered))
		s.within(relist+5*time.Second, "live list", s.sees(instances))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

func (s *scene) seenRevision() int64 {
	seen, _ := s.caller.Status().Service()
	return seen.Revision
}

// allRegistered: etcd has a record of every instance that runs.
func (s *scene) allRegistered() bool {
	records := s.registered()
	for _, i := range s.fleet.Running() {
		if _, ok := records[i.ID]; !ok {
			return false
		}
	}
	return true
}

// massExpiry: an etcd that was paused lets all leases expire at once, though
// all instances are well. They register again only when the caller has seen
// that they are gone.
var massExpiry = row{
	number: 5, fault: "mass expiry",
	inject: func(s *scene) {
		s.leases = s.registered()
		s.etcd.Pause(s)
	},
	hold: func(s *scene) {
		s.sleep(2 * s.scale.ttl)
		s.fleetLink.Cut()
		s.etcd.Resume(s)
		s.within(relist+5*time.Second, "all instances preserved", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.State == "live" && seen.Preserved.Held == instances
		})
	},
	heal: func(s *scene) { s.fleetLink.Pass() },
	recovered: func(s *scene) {
		s.figure("registered after", s.within(5*time.Second, "another lease for everybody", func() bool {
			now := s.registered()
			for id, lease := range s.leases {
				if now[id] == 0 || now[id] == lease {
					return false
				}
			}
			return true
		}))
		s.within(relist+5*time.Second, "live list, nobody held", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.Preserved.Returned == instances && s.sees(instances)()
		})
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// restored: a backup names one who left and does not name one who came.
var restored = row{
	number: 6, fault: "registry restored from an older backup",
	setup: func(s *scene) {
		s.usual()
		leaver := s.fleet.Start(1)[0]
		s.within(0, "eleven registered", s.allRegistered)
		backup := s.etcd.Backup(s)
		s.restore = func() { s.etcd.Restore(s, backup) }
		s.victim = leaver
		if err := leaver.Terminate(patience); err != nil {
			s.Fatal(err)
		}
		s.fleet.Start(1)
		s.within(0, "the new one registered and the old one gone", func() bool {
			return s.allRegistered() && len(s.registered()) == instances+1
		})
		s.call(s.via(s.callerLink))
	},
	inject: func(s *scene) { s.restore() },
	hold:   func(s *scene) {},
	recovered: func(s *scene) {
		s.figure("registered after", s.within(45*time.Second, "all registered", s.allRegistered))
		s.figure("stale entry gone after", s.within(2*s.scale.ttl, "the old one gone", func() bool {
			_, there := s.registered()[s.victim.ID]
			return !there
		}))
		s.within(relist+5*time.Second, "live list", s.sees(instances+1))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances) // one who is missing among many is believed to be gone
	},
}

// slow: an etcd that takes two seconds longer for everything is slow and not
// dead.
var slow = row{
	number: 7, fault: "slow registry",
	inject: func(s *scene) {
		s.leases = s.registered()
		s.callerLink.Delay(2 * time.Second)
		s.fleetLink.Delay(2 * time.Second)
	},
	hold: func(s *scene) { s.sleep(max(s.scale.outage, 5*s.scale.ttl/2)) },
	heal: func(s *scene) { s.callerLink.Pass(); s.fleetLink.Pass() },
	recovered: func(s *scene) {
		s.sameLeases()
		s.within(relist+5*time.Second, "live list", s.sees(instances))
		most := s.caller.Status().Registry.Most
		for _, i := range s.fleet.Running() {
			status, err := i.Status(s.Context())
			if err != nil {
				s.Fatal(err)
			}
			most = max(most, status.Registry.Most)
			for _, r := range status.Dump.Registrations {
				if r.Repairs > 0 {
					s.Errorf("%s lost its registration: %+v", i.ID, r)
				}
			}
		}
		s.figure("calls to etcd at one time", most)
		if most > 2 {
			s.Errorf("a process had %d calls to etcd in flight, allowed are 2", most)
		}
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
		s.figure("p99 before", s.quantile(0.99, s.history.Settings.Began, s.broken))
		s.figure("p99 meanwhile", s.quantile(0.99, s.broken, s.mended))
	},
}

// sameLeases says that no instance lost its lease since they were noted.
func (s *scene) sameLeases() {
	s.Helper()
	now := s.registered()
	for id, lease := range s.leases {
		if now[id] != lease {
			s.Errorf("the lease of %s was %x and is %x", id, lease, now[id])
		}
	}
}

// partitioned: packets to etcd are lost, those of the caller and those of one
// instance. Both know what they do not know.
var partitioned = row{
	number: 8, fault: "partition from the registry",
	setup: func(s *scene) {
		s.usual()
		s.victimLink = s.proxy()
		s.victim = s.fleet.StartVia(s.via(s.victimLink))
		s.within(0, "eleven registered", s.allRegistered)
		s.call(s.via(s.callerLink))
	},
	inject: func(s *scene) {
		s.callerLink.Blackhole()
		s.victimLink.Blackhole()
	},
	hold: func(s *scene) {
		var stale, expired, known time.Duration
		s.within(60*time.Second, "a stale list, and a lease that expired there and here", func() bool {
			since := time.Since(s.broken)
			if _, there := s.registered()[s.victim.ID]; !there && expired == 0 {
				expired = since
			}
			if status, err := s.victim.Status(s.Context()); known == 0 && err == nil && !status.Dump.Registrations[0].Registered {
				known = since
			}
			if seen, _ := s.caller.Status().Service(); stale == 0 && seen.State == "stale" {
				stale = since
			}
			return stale > 0 && expired > 0 && known > 0
		})
		s.figure("stale after", stale)
		s.figure("lease expired after", expired)
		s.figure("that was known after", known)
		if off := (known - expired).Abs(); off > slack*time.Second {
			s.Errorf("the instance knew of the end of its lease %s off", off)
		}
	},
	heal: func(s *scene) {
		s.callerLink.Pass()
		s.victimLink.Pass()
	},
	recovered: func(s *scene) {
		s.figure("live after", s.within(5*time.Second+relist, "live list", s.sees(instances+1)))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// compacted: what was deleted while the caller was cut off is gone, though
// nobody can tell it of the deletion any more.
var compacted = row{
	number: 11, fault: "compaction during a disconnect",
	inject: func(s *scene) {
		s.callerLink.Cut()
		s.victim = s.anyone()
		if err := s.victim.Terminate(patience); err != nil {
			s.Fatal(err)
		}
		s.fleet.Start(1)
		s.within(0, "the new one registered", s.allRegistered)
		s.etcd.Compact(s)
	},
	heal: func(s *scene) { s.callerLink.Pass() },
	recovered: func(s *scene) {
		s.figure("equal to etcd after", s.within(3*time.Second+relist, "the list of etcd", func() bool {
			seen, _ := s.caller.Status().Service()
			records := s.registered()
			for _, id := range serving(seen) {
				if _, there := records[id]; !there {
					return false
				}
			}
			return seen.State == "live" && len(serving(seen)) == len(records)
		}))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
		if n := s.timesGone(s.victim.ID); n != 1 {
			s.Errorf("the registry told %d times that %s is gone", n, s.victim.ID)
		}
	},
}

// timesGone counts how often an instance was no longer published.
func (s *scene) timesGone(id string) (times int) {
	there := false
	for _, p := range s.history.Publications {
		now := p.Names(id)
		if there && !now {
			times++
		}
		there = now
	}
	return times
}
