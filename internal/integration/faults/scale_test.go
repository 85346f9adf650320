package faults_test

import "time"

// slack is by how much seconds may be exceeded on a machine that does other
// things, too.
const slack = 3

// relist is the most that a consumer waits before it lists again, so that not
// all do at once.
const relist = 5 * time.Second

// scale is how large the scenarios are.
type scale struct {
	rate     float64       // calls per second
	deadline time.Duration // of each; ample where the machine has much else to do
	ttl      time.Duration
	warm     time.Duration // before the fault
	outage   time.Duration
	settle   time.Duration // after everything is as before
}

func quick() scale {
	s := scale{rate: 100, deadline: 5 * time.Second, ttl: 10 * time.Second, warm: time.Second, outage: 6 * time.Second, settle: 2 * time.Second}
	if race {
		s.rate = 50
	}
	return s
}

func lengthy() scale {
	return scale{rate: 100, deadline: 5 * time.Second, ttl: 15 * time.Second, warm: 5 * time.Second, outage: time.Minute, settle: 5 * time.Second}
}

// full is the setting whose numbers the promises are made for.
func full() scale {
	return scale{rate: 1000, deadline: time.Second, ttl: 15 * time.Second, warm: 20 * time.Second, outage: 10 * time.Minute, settle: 10 * time.Second}
}
