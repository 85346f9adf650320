package balancer

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// The definitions of gRFC A58, at the defaults unless a case says otherwise.
func TestReportedWeight(t *testing.T) {
	const s = time.Second
	type report struct {
		at                    time.Duration
		utilization, qps, eps float64
	}
	every := func(from, to time.Duration, r report) (all []report) {
		for r.at = from; r.at <= to; r.at += s {
			all = append(all, r)
		}
		return all
	}
	half := report{utilization: 0.5, qps: 100}
	tests := []struct {
		name    string
		config  ReportedWeights
		reports []report
		at      time.Duration
		want    float32 // 0: none
	}{
		{"nothing was said", ReportedWeights{}, nil, 0, 0},
		{"qps ÷ utilization", ReportedWeights{}, every(0, 20*s, half), 20 * s, 200},
		{"the last report counts", ReportedWeights{}, append(every(0, 19*s, half), report{20 * s, 0.25, 100, 0}), 20 * s, 400},
		{"overloaded servers say more than 1", ReportedWeights{}, every(0, 20*s, report{0, 2, 100, 0}), 20 * s, 50},
		{"errors cost as if more were in use", ReportedWeights{}, every(0, 20*s, report{0, 0.5, 100, 50}), 20 * s, 100},
		{"errors that cost twice as much", ReportedWeights{ErrorUtilizationPenalty: 2}, every(0, 20*s, report{0, 0.5, 100, 25}), 20 * s, 100},
		{"errors that cost nothing", ReportedWeights{ErrorUtilizationPenalty: -1}, every(0, 20*s, report{0, 0.5, 100, 50}), 20 * s, 200},
		{"an empty report changes nothing", ReportedWeights{}, append(every(0, 19*s, half), report{20 * s, 0, 0, 0}), 20 * s, 200},
		{"nor does one without utilization", ReportedWeights{}, append(every(0, 19*s, half), report{20 * s, 0, 100, 0}), 20 * s, 200},
		{"nor does one without qps", ReportedWeights{}, append(every(0, 19*s, half), report{20 * s, 0.5, 0, 0}), 20 * s, 200},
		{"empty reports are none", ReportedWeights{}, every(0, 20*s, report{}), 20 * s, 0},

		{"blackout: not yet", ReportedWeights{}, every(0, 9*s, half), 10*s - 1, 0},
		{"blackout: now", ReportedWeights{}, every(0, 9*s, half), 10 * s, 200},
		{"blackout counts from the first report", ReportedWeights{}, []report{{0, 0.5, 100, 0}}, 10 * s, 200},
		{"a short blackout", ReportedWeights{BlackoutPeriod: s}, []report{{0, 0.5, 100, 0}}, s, 200},
		{"no blackout", ReportedWeights{BlackoutPeriod: -1}, []report{{0, 0.5, 100, 0}}, 0, 200},

		{"expiration: not yet", ReportedWeights{}, every(0, 20*s, half), 200*s - 1, 200},
		{"expiration: now", ReportedWeights{}, every(0, 20*s, half), 200 * s, 0},
		{"expiration: another blackout follows", ReportedWeights{}, append(every(0, 20*s, half), every(300*s, 309*s, half)...), 310*s - 1, 0},
		{"expiration: and ends", ReportedWeights{}, append(every(0, 20*s, half), every(300*s, 309*s, half)...), 310 * s, 200},
		{"a short expiration", ReportedWeights{WeightExpirationPeriod: s}, every(0, 20*s, half), 21 * s, 0},

		{"a clock that was set back is a blackout", ReportedWeights{}, every(0, 20*s, half), -s, 0},
		{"as little as can be said", ReportedWeights{}, every(0, 20*s, report{0, 5e-324, 5e-324, 0}), 20 * s, 1},
		{"as much as can be said", ReportedWeights{}, every(0, 20*s, report{0, math.MaxFloat64, math.MaxFloat64, 0}), 20 * s, 1},
		{"a weight beyond all numbers is none", ReportedWeights{}, every(0, 20*s, report{0, 1e-30, 1e30, 0}), 20 * s, 0},
		{"so is one that is nearly nothing", ReportedWeights{}, every(0, 20*s, report{0, 1e30, 1e-30, 0}), 20 * s, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, w := NewNode(discovery.Instance{}, 0), tt.config.withDefaults()
			const start = time.Hour
			var asked time.Duration
			for _, r := range tt.reports {
				for ; asked < r.at; asked += s { // as a scheduler does
					w.of(n, start+asked)
				}
				n.Report(start+r.at, Load{Utilization: r.utilization, QPS: r.qps, EPS: r.eps})
			}
			got, ok := w.of(n, start+tt.at)
			if ok != (tt.want > 0) || ok && math.Abs(float64(got/tt.want)-1) > 1e-6 {
				t.Errorf("got %v %v, want %v", got, ok, tt.want)
			}
		})
	}
}

func TestReportedWeightsMakeNodesListen(t *testing.T) {
	n, w := NewNode(discovery.Instance{}, 0), ReportedWeights{}.withDefaults()
	if w.of(n, 0); !n.Listens() {
		t.Error("nobody asks for reports")
	}
}

func TestReportedWeightsValidate(t *testing.T) {
	for _, tt := range []struct {
		config ReportedWeights
		field  string // "": good
	}{
		{ReportedWeights{}, ""},
		{ReportedWeights{-1, time.Second, -1}, ""},
		{ReportedWeights{WeightExpirationPeriod: -1}, "WeightExpirationPeriod"},
		{ReportedWeights{ErrorUtilizationPenalty: math.NaN()}, "ErrorUtilizationPenalty"},
		{ReportedWeights{ErrorUtilizationPenalty: math.Inf(1)}, "ErrorUtilizationPenalty"},
		{ReportedWeights{ErrorUtilizationPenalty: math.Inf(-1)}, "ErrorUtilizationPenalty"},
	} {
		err := tt.config.Validate()
		var f *discovery.FieldError
		if errors.As(err, &f) != (tt.field != "") || f != nil && (f.Field != tt.field || !strings.Contains(f.Error(), "allowed")) {
			t.Errorf("%+v: %v, want %q", tt.config, err, tt.field)
		}
	}
}

// Whatever is reported, and whenever: a weight that is given is a positive
// finite number, and it is that of A58 in one line.
func FuzzReportedWeight(f *testing.F) {
	f.Add(0.5, 100.0, 3.0, 1.0)
	f.Add(1e-300, 1e300, math.Inf(1), -1.0)
	f.Fuzz(func(t *testing.T, utilization, qps, eps, penalty float64) {
		w := ReportedWeights{ErrorUtilizationPenalty: penalty}
		if w.Validate() != nil {
			t.Skip()
		}
		w = w.withDefaults()
		n := NewNode(discovery.Instance{}, 0)
		n.Report(0, Load{Utilization: utilization, QPS: qps, EPS: eps})
		got, ok := w.of(n, time.Minute)
		if ok && !(got > 0 && got <= math.MaxFloat32) {
			t.Fatalf("got %v", got)
		}
		want := qps / (utilization + eps/qps*w.ErrorUtilizationPenalty)
		ordinary := func(f float64) bool { return f > 1e-20 && f < 1e20 }
		if ordinary(utilization) && ordinary(qps) && (eps == 0 || ordinary(eps)) && ordinary(want) && (!ok || math.Abs(float64(got)/want-1) > 1e-4) {
			t.Errorf("got %v %v, want %v", got, ok, want)
		}
	})
}
