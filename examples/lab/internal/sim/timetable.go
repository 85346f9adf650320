package sim

import (
	"cmp"
	"slices"
	"time"
)

// act is something that happens to instances.
type act struct {
	what    deed
	class   int
	server  int
	to      Condition
	deploy  int
	count   int
	ordered bool // by the scaler
}

type deed uint8

const (
	comes   deed = iota // a new instance of a class
	turns               // a class into another condition
	drains              // an instance
	stops               // one that drains
	delists             // one that is down
	deploys             // replace the next of a class
)

// timetable lets those come who are there from the beginning, and plans the rest.
func (w *world) timetable() {
	for i, c := range w.plan.Fleet {
		if c.From > 0 {
			w.later(c.From, act{what: comes, class: i, count: c.Count})
			continue
		}
		w.come(i, c.Count)
	}
	for _, c := range w.plan.Changes {
		for i := range w.plan.Fleet {
			if w.plan.Fleet[i].Name == c.Class {
				w.later(c.At, act{what: turns, class: i, to: c.To})
			}
		}
	}
	for i, d := range w.plan.Deploys {
		w.later(d.At, act{what: deploys, deploy: i, class: w.classOf(d.Class)})
	}
	if s := w.plan.Scaler; s.Every > 0 {
		w.queue.push(event{at: w.now + int64(s.Every), kind: scales})
	}
}

// later plans an act at a time from the beginning.
func (w *world) later(at time.Duration, a act) {
	w.acts = append(w.acts, a)
	w.queue.push(event{at: max(w.now, beginning+int64(at)), who: uint32(len(w.acts) - 1), kind: changes})
}

func (w *world) classOf(name string) int {
	return slices.IndexFunc(w.plan.Fleet, func(c Class) bool { return c.Name == name })
}

func (w *world) act(a act) {
	if w.now >= w.over {
		return // calls that came in time see the end as it is
	}
	now := time.Duration(w.now - beginning)
	switch a.what {
	case comes:
		if w.come(a.class, a.count); a.ordered {
			w.coming -= a.count
		}
	case turns:
		for number, s := range w.servers {
			if s.class == a.class && s.stage != gone {
				w.turn(number, a.to)
			}
		}
		return
	case drains:
		if !w.drain(a.server) {
			return
		}
	case stops:
		w.crash(a.server)
		w.leaveList(a.server)
	case delists:
		if !w.servers[a.server].condition.Down {
			return
		}
		w.leaveList(a.server)
	case deploys:
		d := &w.plan.Deploys[a.deploy]
		old := w.oldest(a.class, a.server)
		if old < 0 {
			return
		}
		w.come(a.class, 1)
		w.drain(old)
		w.later(now+d.Drain, act{what: stops, server: old})
		a.server = old + 1
		w.later(now+d.Every, a)
	}
	w.publish()
}

// mostServers is how many there can be, by their addresses.
const mostServers = 1 << 24

// come lets new instances of a class come.
func (w *world) come(class, count int) {
	c := &w.plan.Fleet[class]
	for range min(count, mostServers-len(w.servers)) {
		s := &server{class: class, zone: w.zoneOf(c.Zone), condition: c.Condition, stage: listed, free: make([]int64, c.Workers), from: w.now, until: forever, caller: none,
			instance: w.newInstance(len(w.servers), c), entrance: w.entrance(c.Admission)}
		s.stretches = stretches(w.nature, w.now, w.over+int64(time.Minute), c.Pauses, c.Neighbours)
		if w.reports {
			s.report()
		}
		w.servers = append(w.servers, s)
	}
}

// turn puts an instance into another condition.
func (w *world) turn(number int, to Condition) {
	s := w.servers[number]
	if to.Down && !s.condition.Down {
		w.crash(number)
		w.later(time.Duration(w.now-beginning)+w.plan.Lists.Lease, act{what: delists, server: number})
	}
	s.condition = to
}

// drain takes an instance out of service that goes on with what it has.
func (w *world) drain(number int) bool {
	s := w.servers[number]
	if s.stage != listed {
		return false
	}
	s.stage = draining
	leaving := *s.instance
	leaving.Draining = true
	s.instance = &leaving
	return true
}

func (w *world) leaveList(number int) {
	if s := w.servers[number]; s.stage != gone {
		s.stage, s.until = gone, w.now
	}
}

// crash makes an instance lose all that it has, at once.
func (w *world) crash(number int) {
	s := w.servers[number]
	s.condition.Down = true
	for _, i := range w.lost(number) {
		a := &w.attempts[i]
		a.gen++ // what was to come of it does not
		a.events = 0
		a.away = false
		a.entered = false
		if a.inside {
			a.inside = false
			s.count(-1, w.now)
		}
		if !a.begins {
			a.begins = true
			w.tally(&w.calls[a.call]).Unbegun++
		}
		a.done = w.now
		if a.live {
			w.reply(i, w.now, w.now, broken)
		}
		w.drop(i)
	}
	clear(s.free)
	s.busy, s.waiting, s.entrance = 0, nil, w.entrance(w.plan.Fleet[s.class].Admission)
}

// lost are the attempts that an instance loses which crashes, in the order of their
// calls.
func (w *world) lost(server int) (all []int32) {
	for i := range w.attempts {
		a := &w.attempts[i]
		if int(a.server) == server && (a.inside || a.live && (a.away || !w.detailed && a.done > w.now)) {
			all = append(all, int32(i))
		}
	}
	slices.SortFunc(all, func(i, j int32) int {
		return cmp.Or(cmp.Compare(w.attempts[i].call, w.attempts[j].call), cmp.Compare(i, j))
	})
	return all
}

// oldest is the first instance of a class from a number on that is in service.
func (w *world) oldest(class, from int) int {
	for i := from; i < len(w.servers); i++ {
		if s := w.servers[i]; s.class == class && s.stage == listed && s.from == beginning {
			return i
		}
	}
	return -1
}
