package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// Servers end their connections every second, and say so before: the call that
// comes too late on one goes out on another, of whatever method it is, and those
// under way are finished.
var (
	goneAway     = aged(fleet.HTTP2, "GOAWAY, HTTP2")
	goneAwayGRPC = aged(fleet.GRPC, "MaxConnectionAge, gRPC")
)

func aged(p fleet.Protocol, fault string) row {
	return row{
		number: 25, fault: fault,
		setup: func(s *scene) {
			s.protocol = p
			s.base()
			s.fleet.MaxAge = time.Second
			if race { // or connections are at their end before they are used
				s.fleet.MaxAge = 3 * time.Second
			}
			s.fleet.Start(instances)
			s.within(0, "all instances registered", s.allRegistered)
			s.call(s.via(s.callerLink))
		},
		inject: func(s *scene) { s.connections = s.accepted() },
		hold: func(s *scene) {
			s.sleep(5 * time.Second)
			fresh := s.accepted() - s.connections
			s.figure("connections replaced", fresh)
			if want := int64(instances * (5*time.Second/s.fleet.MaxAge + 1) / 2); fresh < want {
				s.Errorf("%d connections were replaced, want %d at least", fresh, want)
			}
		},
		check: func(s *scene) { s.noneFailed() },
	}
}
