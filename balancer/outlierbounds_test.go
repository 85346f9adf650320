package balancer_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// However often the settings change, rates are looked at once an interval.
func TestChangesDoNotPutOffTheInterval(t *testing.T) {
	o := balancer.OutlierDetection{ConsecutiveFailures: -1, FailurePercentage: balancer.FailurePercentageEjection{On: true, RequestVolume: 10, MinimumHosts: 1}}
	c := newCourt(t, 10, o)
	c.wait(0) // the interval begins
	for range 4 {
		c.calls(3, strings.Repeat("f", 10))
		c.wait(3 * time.Second)
		if _, err := c.pool.Balance(balancer.Balancing{OutlierDetection: o, Policy: balancer.Random{}}, c.now); err != nil {
			t.Fatal(err)
		}
	}
	c.wait(0)
	if got := c.away(); !slices.Equal(got, []int{3}) {
		t.Errorf("after 12 s away are %v", got)
	}
}

// An interval that is shortened ends sooner.
func TestAShorterIntervalHoldsAtOnce(t *testing.T) {
	o := balancer.OutlierDetection{ConsecutiveFailures: -1, Interval: time.Hour, FailurePercentage: balancer.FailurePercentageEjection{On: true, RequestVolume: 10, MinimumHosts: 1}}
	c := newCourt(t, 10, o)
	c.wait(0)
	c.calls(3, strings.Repeat("f", 10))
	o.Interval = time.Second
	if _, err := c.pool.Balance(balancer.Balancing{OutlierDetection: o, Policy: balancer.Random{}}, c.now); err != nil {
		t.Fatal(err)
	}
	c.wait(time.Second)
	if got := c.away(); !slices.Equal(got, []int{3}) {
		t.Errorf("away are %v", got)
	}
}

// Times that would not be times any more when they are added or multiplied are
// refused; all that are allowed eject.
func TestTimesOfOutlierDetectionAreBounded(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name   string
		config balancer.OutlierDetection
		field  string // "": it is good
	}{
		{"the shortest", balancer.OutlierDetection{Interval: 1, BaseEjectionTime: 1, MaxEjectionTime: day}, ""},
		{"the longest", balancer.OutlierDetection{Interval: day, BaseEjectionTime: day, MaxEjectionTime: day, SlowCalls: balancer.SlowCallEjection{Duration: day}}, ""},
		{"an endless interval", balancer.OutlierDetection{Interval: math.MaxInt64}, "Interval"},
		{"an endless base", balancer.OutlierDetection{BaseEjectionTime: math.MaxInt64}, "BaseEjectionTime"},
		{"an endless ejection", balancer.OutlierDetection{MaxEjectionTime: day + 1}, "MaxEjectionTime"},
		{"an endless call", balancer.OutlierDetection{SlowCalls: balancer.SlowCallEjection{Duration: day + 1}}, "SlowCalls.Duration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Validate()
			field, ok := errors.AsType[*discovery.FieldError](err)
			if tt.field == "" && err != nil || tt.field != "" && (!ok || field.Field != "OutlierDetection."+tt.field) {
				t.Fatalf("error is %v", err)
			}
			if tt.field != "" {
				return
			}
			c := newCourt(t, 10, tt.config)
			c.calls(3, "fffff")
			if len(c.pool.View().Outages) != 1 {
				t.Fatal("nobody is ejected")
			}
			if o := c.pool.View().Outages[0]; o.Until < o.Since+max(1, tt.config.BaseEjectionTime) || o.Until > o.Since+day*11/10 {
				t.Errorf("ejected for %v", o.Until-o.Since)
			}
		})
	}
}

// A tenth of those that are called may be ejected, however many protocols they
// are called by.
func TestEjectionsAreBoundedWhateverTheProtocols(t *testing.T) {
	s := fixture.Snapshot("orders", 1000)
	for i := range s.Instances {
		instance := *s.Instances[i]
		instance.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: instance.Addr}, {Protocol: discovery.GRPC, Addr: instance.Addr}}
		if i == 0 {
			instance.Endpoints = instance.Endpoints[:1]
		}
		s.Instances[i] = &instance
	}
	for _, tt := range []struct {
		name   string
		subset balancer.Subset
		want   int
	}{
		{"all are called", balancer.Subset{Off: true}, 100},
		{"some are", balancer.Subset{Size: 100, Seed: "me"}, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &court{t, balancing(t, balancer.Balancing{Policy: balancer.Random{}, Subset: tt.subset}), start}
			c.pool.Update(s, c.now)
			for _, n := range c.choice().Called() {
				for range 5 {
					n.Start(c.now).Done(c.now, balancer.Failure)
				}
			}
			c.pool.Review(c.now)
			if got := len(c.pool.View().Outages); got < tt.want || got > tt.want+1 {
				t.Errorf("%d are ejected, want %d", got, tt.want)
			}
		})
	}
}
