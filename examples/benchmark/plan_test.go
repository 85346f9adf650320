package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// everything is a machine with all proxies.
func everything() (found market) {
	for _, name := range proxies.Names() {
		found = append(found, proxies.Kind{Name: name})
	}
	return found
}

// planned are the trials of a command line.
func planned(t *testing.T, found market, args ...string) ([]trial, time.Duration) {
	t.Helper()
	p, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	trials, _, err := p.trials(found)
	if err != nil {
		t.Fatal(err)
	}
	return trials, newProgress(t.Output(), p, trials).planned
}

// laneNames are those of a trial, with what they are compared with.
func laneNames(t trial) (names []string) {
	for _, l := range t.lanes {
		name := l.Name
		if l.Base != l.Name {
			name += "÷" + l.Base
		}
		names = append(names, name)
	}
	return names
}

func TestQuickPlanIsTheOneThatIsPromised(t *testing.T) {
	trials, takes := planned(t, everything(), "-quick")
	want := map[string]string{
		"http1, 128 B, concurrency 16, thin handler, deadline none": "plain A/A÷plain usual-stack÷plain fairlead-metrics÷plain fairlead-all÷plain sidecar-haproxy÷plain",
		"grpc, 128 B, concurrency 16, thin handler, deadline none":  "round-robin A/A÷round-robin plain÷round-robin usual-stack÷round-robin fairlead-metrics÷round-robin fairlead-all÷round-robin sidecar-haproxy÷round-robin",
	}
	for _, trial := range trials {
		if got := strings.Join(laneNames(trial), " "); got != want[trial.Title()] {
			t.Errorf("%s\ngot  %s\nwant %s", trial.Title(), got, want[trial.Title()])
		}
	}
	if len(trials) != len(want) || takes > 120*time.Second {
		t.Errorf("%d scenarios that take %v, want %d that take two minutes", len(trials), takes, len(want))
	}
}

func TestFullPlanLeavesNothingOutThatIsPromised(t *testing.T) {
	trials, takes := planned(t, everything())
	if takes > 30*time.Minute {
		t.Errorf("the full plan takes %v", takes)
	}
	seen := map[string]bool{}
	for _, trial := range trials {
		for _, l := range trial.lanes {
			seen[l.Name+" over "+trial.Protocol] = true
		}
		s := trial.Scenario
		seen[s.Protocol+" "+s.Handler] = true
		seen[s.Protocol+" "+s.Deadline] = true
		seen[fmt.Sprint(s.Protocol, " payload ", s.Payload)] = true
		seen[fmt.Sprint(s.Protocol, " concurrency ", s.Concurrency)] = true
	}
	var want []string
	for _, protocol := range []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC, scenario.GRPCStream} {
		want = append(want, protocol+" thin", protocol+" none", protocol+" 1s", protocol+" payload 128", protocol+" payload 65536", protocol+" concurrency 16", protocol+" concurrency 128")
		for _, v := range client.Names() {
			if client.Dial(v, protocol) != nil {
				want = append(want, v+" over "+protocol)
			}
		}
		for _, p := range proxies.Names() {
			want = append(want, "sidecar-"+p+" over "+protocol)
		}
		if protocol == scenario.HTTP2 || protocol == scenario.GRPCStream {
			continue
		}
		want = append(want, protocol+" heavy", protocol+" chain", protocol+" payload 4096", protocol+" concurrency 1", "fairlead-all-unix over "+protocol, "sidecar2-haproxy-unix over "+protocol)
		for _, p := range proxies.Names() {
			want = append(want, "sidecar2-"+p+" over "+protocol, "central-"+p+" over "+protocol, "sidecar-"+p+"-unix over "+protocol)
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("the full plan does not have %s", w)
		}
	}
}

func TestLikeStandsAgainstLike(t *testing.T) {
	trials, _ := planned(t, everything(), "-protocol", "grpc", "-variants",
		"central-envoy,fairlead-all-unix,sidecar2-nginx-unix,plain,round-robin,fairlead-all-x4")
	want := "round-robin A/A÷round-robin sidecar2-nginx-unix÷round-robin plain÷round-robin " +
		"round-robin-unix fairlead-all-unix÷round-robin-unix " +
		"round-robin-x4 central-envoy÷round-robin-x4 fairlead-all-x4÷round-robin-x4"
	if got := strings.Join(laneNames(trials[0]), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, l := range trials[0].lanes {
		if four := strings.HasPrefix(l.Name, "central") || strings.HasSuffix(l.Name, "-x4"); four != (l.clients == 4) {
			t.Errorf("%s has %d clients", l.Name, l.clients)
		}
		if l.hops > 0 && l.variant != "plain" {
			t.Errorf("%s: the client of a proxy is %s", l.Name, l.variant)
		}
		if l.Name == report.Again && l.way != trials[0].lanes[0].way {
			t.Errorf("A/A is not the base: %+v", l.way)
		}
	}
}

func TestProxiesAreThoseThatWereFound(t *testing.T) {
	some := market{{Name: "fairlead"}, {Name: "envoy"}, {Name: "nginx"}}
	for _, c := range []struct{ variants, want string }{
		{"sidecar", "sidecar-nginx sidecar-envoy sidecar-fairlead"},
		{"sidecar-one", "sidecar-nginx"},
		{"sidecar2-one-unix", "sidecar2-nginx-unix"},
		{"sidecar-unix,sidecar-envoy", "sidecar-nginx-unix sidecar-envoy-unix sidecar-fairlead-unix sidecar-envoy"},
		{"central", "central-nginx central-envoy central-fairlead"},
	} {
		trials, _ := planned(t, some, "-protocol", "http1", "-variants", c.variants)
		var got []string
		for _, l := range trials[0].lanes {
			if l.hops > 0 {
				got = append(got, l.Name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.variants, got, c.want)
		}
	}
	p, err := parse([]string{"-variants", "sidecar-caddy"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	const want = `-variants "sidecar-caddy": not installed on this machine, found are fairlead, envoy, nginx`
	if _, _, err := p.trials(some); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatCannotBeMeasuredIsLeftOutAndTold(t *testing.T) {
	p, err := parse([]string{"-protocol", "http1", "-concurrency", "2", "-handler", "chain,thin", "-variants", "plain,round-robin,sidecar-envoy,central-envoy"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	trials, leftOut, err := p.trials(everything())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"round-robin: it does not speak http1",
		"sidecar-envoy: a chain here has no proxies",
		"central-envoy: a chain here has no proxies",
		"central-envoy: 4 clients cannot share 2 calls in flight",
	}
	if !slices.Equal(leftOut, want) {
		t.Errorf("told %q, want %q", leftOut, want)
	}
	if got := laneNames(trials[0]); !slices.Equal(got, []string{"plain", "A/A÷plain"}) {
		t.Errorf("chain has %v", got)
	}
	if got := laneNames(trials[1]); !slices.Equal(got, []string{"plain", "A/A÷plain", "sidecar-envoy÷plain"}) {
		t.Errorf("thin has %v", got)
	}
	p, err = parse([]string{"-protocol", "http1", "-variants", "round-robin"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.trials(everything()); err == nil || !strings.Contains(err.Error(), "nothing to measure; round-robin: it does not speak http1") {
		t.Errorf("a plan of nothing: %v", err)
	}
}

func TestLanesOfARoundHaveTheSameArrivals(t *testing.T) {
	p, l := plan{}, &lane{way: direct("plain", false, false)}
	a, again, later := p.assignments(trial{}, l, 3, 100)[0], p.assignments(trial{}, l, 3, 100)[0], p.assignments(trial{}, l, 4, 100)[0]
	if a.Rate != 100 || a.Seed != again.Seed || a.Seed == later.Seed {
		t.Errorf("seeds %d, %d and, a round later, %d", a.Seed, again.Seed, later.Seed)
	}
	s := scenario.Scenario{Concurrency: 16}
	four := p.assignments(trial{Scenario: s}, &lane{way: direct("plain", false, true)}, 3, 100)
	seeds := map[uint64]bool{}
	for _, a := range four {
		seeds[a.Seed] = true
		if a.Rate != 25 || a.Scenario.Concurrency != 4 {
			t.Errorf("a quarter is %+v", a)
		}
	}
	if len(four) != 4 || len(seeds) != 4 {
		t.Errorf("%d clients with %d seeds, want 4", len(four), len(seeds))
	}
}
