package faults_test

import (
	"slices"
	"time"
)

// outage says why the caller passes an instance over, "" if it does not.
func (s *scene) outage(id string) string {
	s.Helper()
	seen, _ := s.caller.Status().Service()
	for _, n := range seen.Instances {
		if n.ID == id && n.Outage != nil {
			return n.Outage.Reason
		}
	}
	return ""
}

// isOut says whether the caller passes an instance over for a reason.
func (s *scene) isOut(id, reason string) func() bool {
	return func() bool { return s.outage(id) == reason }
}

// onlyPassedOver says that the caller passes over nobody but, perhaps, these, and
// ejected no more than those so far.
func (s *scene) onlyPassedOver(may ...string) {
	s.Helper()
	seen, _ := s.caller.Status().Service()
	for _, n := range seen.Instances {
		if n.Outage != nil && !slices.Contains(may, n.ID) {
			s.Errorf("%s is passed over: %s", n.ID, n.Outage.Reason)
		}
	}
	ejected := int64(0)
	for _, n := range seen.Ejections {
		ejected += n
	}
	if ejected > int64(len(may)) {
		s.Errorf("passed over so far: %v", seen.Ejections)
	}
}

// attemptsTo counts those to an instance that began in a stretch of time.
func (s *scene) attemptsTo(id string, from, to time.Time) (n int) {
	for _, c := range s.history.Calls {
		for _, a := range c.Attempts {
			if a.Instance == id && a.Start >= s.history.Moment(from) && a.Start < s.history.Moment(to) {
				n++
			}
		}
	}
	return n
}

// shareOfFair is how many of the attempts that began in a stretch of time went
// to an instance, where 1 is one in n.
func (s *scene) shareOfFair(id string, n int, from, to time.Time) float64 {
	s.Helper()
	its, all := 0, 0
	for _, c := range s.history.Calls {
		for _, a := range c.Attempts {
			if a.Start < s.history.Moment(from) || a.Start >= s.history.Moment(to) {
				continue
			}
			if all++; a.Instance == id {
				its++
			}
		}
	}
	if all == 0 {
		s.Fatal("no attempts in that time")
	}
	return float64(its) * float64(n) / float64(all)
}
