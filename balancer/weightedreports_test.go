package balancer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// What servers report decides shares, times the weight of the instance.
func TestReportsDecideShares(t *testing.T) {
	tests := []struct {
		name    string
		reports []balancer.Load // of each server, every second; zero: none
		weights []int
		want    []float64 // in proportion
		mode    balancer.Mode
	}{
		{"nobody reports: by weight", make([]balancer.Load, 3), []int{100, 200, 100}, []float64{1, 2, 1}, balancer.Cold},
		{"half as busy: twice as many", []balancer.Load{{Utilization: 0.5, QPS: 100}, {Utilization: 0.25, QPS: 100}}, []int{100, 100}, []float64{1, 2}, balancer.Normal},
		{"as busy with half the calls: half as many", []balancer.Load{{Utilization: 0.5, QPS: 100}, {Utilization: 0.5, QPS: 50}}, []int{100, 100}, []float64{2, 1}, balancer.Normal},
		{"failing calls count as if more were in use", []balancer.Load{{Utilization: 0.5, QPS: 100, EPS: 50}, {Utilization: 0.5, QPS: 100}}, []int{100, 100}, []float64{1, 2}, balancer.Normal},
		{"who does not report has the mean", []balancer.Load{{Utilization: 0.5, QPS: 100}, {Utilization: 0.25, QPS: 100}, {}}, []int{100, 100, 100}, []float64{2, 4, 3}, balancer.Normal},
		{"times the weight of the instance", []balancer.Load{{Utilization: 0.5, QPS: 100}, {Utilization: 0.25, QPS: 100}, {}}, []int{300, 100, 200}, []float64{6, 4, 6}, balancer.Normal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, nodes := withWeights(t, tt.weights...)
			picker := balancer.WeightedRoundRobin{Reported: true}.Picker(balancer.Among(nodes...))
			for s := range 21 {
				now := start + time.Duration(s)*time.Second
				for i, n := range nodes {
					n.Report(now, tt.reports[i])
				}
				picker.(balancer.Refresher).Refresh(now)
			}
			if got := balancer.ModeOf(picker); got != tt.mode {
				t.Errorf("it is %v, want %v", got, tt.mode)
			}
			wantShares(t, picked(picker, nodes), sharesOf(tt.want), 0.001)
		})
	}
}

// Without reports that are asked for, weights are those of the instances and
// nobody listens.
func TestWeightsOfInstancesNeedNoReports(t *testing.T) {
	_, nodes := withWeights(t, 100, 200)
	for _, n := range nodes {
		n.Report(start, balancer.Load{Utilization: 0.5, QPS: 100})
	}
	picker := balancer.WeightedRoundRobin{}.Picker(balancer.Among(nodes...))
	picker.(balancer.Refresher).Refresh(start + time.Minute)
	wantShares(t, picked(picker, nodes), []float64{1.0 / 3, 2.0 / 3}, 0.001)
}

// One of two servers is three times as busy for as many calls.
func ExampleReportedWeights() {
	policy := balancer.WeightedRoundRobin{Reported: true, ReportedWeights: balancer.ReportedWeights{BlackoutPeriod: time.Second}}
	nodes := weighing(100, 100)
	picker := policy.Picker(balancer.Among(nodes...))

	for now := time.Minute; now <= time.Minute+time.Second; now += time.Second {
		nodes[0].Report(now, balancer.Load{Utilization: 0.9, QPS: 300})
		nodes[1].Report(now, balancer.Load{Utilization: 0.3, QPS: 300})
		picker.(balancer.Refresher).Refresh(now)
	}
	b := strings.Count(turns(picker, 4000), "b") // three of four
	fmt.Println(b >= 2999 && b <= 3001)
	// Output: true
}
