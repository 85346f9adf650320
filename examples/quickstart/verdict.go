package main

import (
	"fmt"
	"maps"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// verdict is what one step did to the callers of one service.
type verdict struct {
	Name       string             `json:"name"`
	Protocol   discovery.Protocol `json:"protocol"`
	OK         bool               `json:"ok"`
	Calls      int                `json:"calls"`
	Failed     int                `json:"failed"`
	Executions int64              `json:"executions"` // counted by the servers
	Detail     string             `json:"detail"`
}

// observation is the world at the beginning of a step.
type observation struct {
	stage      *stage
	begin      time.Time
	executions map[string]int64
	retries    map[string]int64
}

func (s *stage) watch() *observation {
	w := &observation{stage: s, begin: time.Now(), executions: map[string]int64{}, retries: map[string]int64{}}
	for _, d := range s.doors {
		w.executions[d.service] = s.fleet.executions(d.service)
		w.retries[d.service] = s.dump(d.service).Retries
	}
	return w
}

// verdicts judges what the callers saw since the observation began. Beside the
// step's own condition, which may wait for something to come true, three hold
// for every step: enough traffic to say anything, no failed call, and no more
// executions than the retry budget's formula allows.
func (w *observation) verdicts(own func(*door) (bool, string)) []verdict {
	results := map[string]verdict{}
	for _, d := range w.stage.doors {
		v := verdict{Protocol: d.protocol, OK: true, Detail: "no call failed"}
		if own != nil {
			v.OK, v.Detail = own(d)
		}
		results[d.service] = v
	}
	end := time.Now()
	executions := maps.Clone(w.executions)
	for service := range executions {
		executions[service] = w.stage.fleet.executions(service) - executions[service]
	}
	time.Sleep(callTimeout / 10) // calls that began last get their time to end
	var rows []verdict
	for _, d := range w.stage.doors {
		v := results[d.service]
		calls := d.between(w.begin, end)
		v.Calls, v.Executions = len(calls), executions[d.service]
		reasons := map[string]int{}
		for _, c := range calls {
			if c.err != nil {
				v.Failed++
				reasons[c.err.Error()]++
			}
		}
		seconds := end.Sub(w.begin).Seconds()
		allowed := int64(1.2*float64(v.Calls) + 10*seconds + 100)
		switch {
		case v.Failed > 0:
			v.OK = false
			for reason, n := range reasons {
				v.Detail = fmt.Sprintf("%d calls failed, %d of them with: %s", v.Failed, n, reason)
			}
		case float64(v.Calls) < leastRate*seconds:
			v.OK = false
			v.Detail = fmt.Sprintf("only %d calls in %.1f s: too few to judge", v.Calls, seconds)
		case v.Executions > allowed:
			v.OK = false
			v.Detail = fmt.Sprintf("%d executions of %d calls: the budget allows %d", v.Executions, v.Calls, allowed)
		}
		rows = append(rows, v)
	}
	return rows
}
