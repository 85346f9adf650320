package balancer_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

func TestHealthCheckValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config balancer.HealthCheck
		field  string // "": it is good
	}{
		{"zero", balancer.HealthCheck{}, ""},
		{"all of it", balancer.HealthCheck{Interval: time.Minute, Timeout: time.Hour, Fall: 9, Rise: 9, Jitter: 1, MaxConcurrent: 1000}, ""},
		{"the shortest", balancer.HealthCheck{Interval: 100 * time.Millisecond, Timeout: time.Millisecond}, ""},
		{"an interval without a unit", balancer.HealthCheck{Interval: 10}, "Interval"},
		{"a negative interval", balancer.HealthCheck{Interval: -time.Second}, "Interval"},
		{"a timeout without a unit", balancer.HealthCheck{Timeout: 1}, "Timeout"},
		{"a negative timeout", balancer.HealthCheck{Timeout: -time.Second}, "Timeout"},
		{"the longest", balancer.HealthCheck{Interval: 24 * time.Hour, Timeout: 24 * time.Hour}, ""},
		{"an endless interval", balancer.HealthCheck{Interval: math.MaxInt64}, "Interval"},
		{"an endless timeout", balancer.HealthCheck{Timeout: math.MaxInt64}, "Timeout"},
		{"a negative fall", balancer.HealthCheck{Fall: -1}, "Fall"},
		{"a negative rise", balancer.HealthCheck{Rise: -1}, "Rise"},
		{"a negative jitter", balancer.HealthCheck{Jitter: -0.1}, "Jitter"},
		{"more jitter than interval", balancer.HealthCheck{Jitter: 1.1}, "Jitter"},
		{"no number", balancer.HealthCheck{Jitter: math.NaN()}, "Jitter"},
		{"nobody to probe", balancer.HealthCheck{MaxConcurrent: -1}, "MaxConcurrent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := balancer.NewChecker(tt.config, balancer.TCPProber{})
			field, ok := errors.AsType[*discovery.FieldError](err)
			if tt.field == "" && err != nil || tt.field != "" && (!ok || field.Field != "HealthCheck."+tt.field) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A prober may have settings, too.
func TestNewCheckerAsksTheProber(t *testing.T) {
	if _, err := balancer.NewChecker(balancer.HealthCheck{}, nil); err == nil {
		t.Error("there is no prober, and no error")
	}
	if _, err := balancer.NewChecker(balancer.HealthCheck{}, picky{}); !errors.Is(err, errPicky) {
		t.Errorf("error is %v", err)
	}
}

var errPicky = errors.New("not like this")

type picky struct{ balancer.ProberFunc }

func (picky) Validate() error { return errPicky }
