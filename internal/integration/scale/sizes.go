package main

import (
	"flag"
	"fmt"
	"time"
)

// sizes is how much of everything there is.
type sizes struct {
	Rounds  int           `json:"rounds"`
	Changes int           `json:"changes"`
	Apart   time.Duration `json:"apartNanos"`
	Rest    time.Duration `json:"restNanos"`

	Watchers      int `json:"watchers"`
	Processes     int `json:"processes"`
	Subscribers   int `json:"subscribers"`
	Registrations int `json:"registrations"`
	InFlight      int `json:"inFlight"`
	Instances     int `json:"instances"`
	Services      int `json:"services"`
	Leases        int `json:"leases"`
	Clients       int `json:"clients"`
}

func (s *sizes) flags(f *flag.FlagSet) {
	f.IntVar(&s.Rounds, "rounds", 6, "rounds, each of all sides; registrations take a third of them")
	f.IntVar(&s.Changes, "changes", 20, "changes of a side in a round")
	f.DurationVar(&s.Apart, "apart", 300*time.Millisecond, "time from when all have seen a change to the next")
	f.DurationVar(&s.Rest, "rest", 15*time.Second, "how long CPU at rest is watched")
	f.IntVar(&s.Watchers, "watchers", 1000, "applied: watchers of each side")
	f.IntVar(&s.Processes, "processes", 10, "applied, proxy: processes that they are spread over")
	f.IntVar(&s.Subscribers, "subscribers", 1000, "subscribers: of one service in one process")
	f.IntVar(&s.Registrations, "registrations", 10_000, "registrations: of one process")
	f.IntVar(&s.InFlight, "in-flight", 128, "registrations: puts in flight of the bare side")
	f.IntVar(&s.Instances, "instances", 10_000, "instances: of the watched service")
	f.IntVar(&s.Services, "services", 1000, "services: watched by one process, of 10 instances each")
	f.IntVar(&s.Leases, "leases", 1000, "cluster: registries with one registration each")
	f.IntVar(&s.Clients, "clients", 500, "proxy: clients, direct and through the proxy")
}

func (s *sizes) validate() error {
	for _, n := range []struct {
		flag        string
		value, most int
	}{
		{"rounds", s.Rounds, 1000}, {"changes", s.Changes, 10_000},
		{"watchers", s.Watchers, 100_000}, {"processes", s.Processes, 1000}, {"subscribers", s.Subscribers, 100_000},
		{"registrations", s.Registrations, 1_000_000}, {"in-flight", s.InFlight, 10_000}, {"instances", s.Instances, 1_000_000},
		{"services", s.Services, 100_000}, {"leases", s.Leases, 100_000}, {"clients", s.Clients, 100_000},
	} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("-%s %d: allowed are whole numbers from 1 to %d", n.flag, n.value, n.most)
		}
	}
	if s.Apart < 10*time.Millisecond || s.Rest < 10*time.Millisecond {
		return fmt.Errorf("-apart %v, -rest %v: allowed is 10ms or more", s.Apart, s.Rest)
	}
	return nil
}
