package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// TestMain lets the processes of a run be this test binary in another role.
func TestMain(m *testing.M) {
	play()
	yield()
	os.Exit(m.Run())
}

// outcome runs a command line and returns its report.
func outcome(t *testing.T, args ...string) (report.Report, string) {
	t.Helper()
	p, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), p, &out, t.Output()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var r report.Report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("last line: %v\n%s", err, &out)
	}
	return r, out.String()
}

func TestARunEndsWithARowAndRatiosForEveryVariant(t *testing.T) {
	r, out := outcome(t, "-json", "-pairs", "2", "-warmup", "10ms", "-duration", "50ms", "-open", "50ms",
		"-protocol", "http1,grpc", "-concurrency", "8", "-payload", "64", "-variants", "fairlead-metrics,fairlead-off")
	want := map[string][]string{
		"http1": {"plain", "A/A", "fairlead-metrics", "fairlead-off"},
		"grpc":  {"round-robin", "A/A", "fairlead-metrics", "fairlead-off"},
	}
	rows := map[string][]string{}
	for _, in := range r.Rows {
		rows[in.Protocol] = append(rows[in.Protocol], in.Variant)
		if in.RPS <= 0 || in.P50 <= 0 || in.P50 > in.P99 || in.P99 > in.P999 || in.ClientAllocs < 1 || in.Errors != 0 {
			t.Errorf("row makes no sense: %+v", in)
		}
		if runtime.GOOS == "linux" && (in.CPU <= 0 || in.RSS <= 1) {
			t.Errorf("row has no accounts: %+v", in)
		}
		if in.Payload != 64 || in.Concurrency != 8 || in.Handler != "thin" || in.Deadline != "none" {
			t.Errorf("row does not say what was called: %+v", in)
		}
		if !strings.Contains(out, in.Variant) {
			t.Errorf("%s is not in the table", in.Variant)
		}
	}
	for protocol, variants := range want {
		if !slices.Equal(rows[protocol], variants) {
			t.Errorf("%s has rows %v, want %v", protocol, rows[protocol], variants)
		}
	}
	ratios := 0
	for _, of := range r.Ratios {
		if of.Metric != "rps" {
			continue
		}
		ratios++
		if of.Base != client.Base(of.Protocol) || of.Pairs != 2 || of.Low <= 0 || of.Low > of.Median || of.Median > of.High {
			t.Errorf("ratio makes no sense: %+v", of)
		}
	}
	if want := 2 * 3; ratios != want {
		t.Errorf("%d ratios of the throughput, want %d: one for each row but the bases", ratios, want)
	}
	if r.Environment.Cores != runtime.NumCPU() || r.Environment.Go != runtime.Version() {
		t.Errorf("environment %+v", r.Environment)
	}
}

func TestAccountsIncludeTheServers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not told by this system")
	}
	b := bench{root: t.TempDir()}
	f, err := b.serve(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	at := f.site(false, scenario.HTTP1)
	before := used(t, f.pid())
	m, err := runClients(t.Context(), client.Assignment{
		Variant: "plain", Scenario: scenario.Scenario{Protocol: scenario.HTTP1, Payload: 128, Concurrency: 4, Handler: scenario.Thin},
		Addrs: at.addrs, Servers: at.processes.Servers, Duration: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if servers := m.CPU - m.ClientCPU; servers <= 0 || servers > used(t, f.pid())-before {
		t.Errorf("the run charged the servers %v, more than they used", servers)
	}
}

// used is the CPU that a process has had.
func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	cpu, _, err := load.Usage(pid)
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// A closed port refuses every call; the run must say so and not pass for fast.
func TestFailedCallsShowInTheRowAndFailTheRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, protocol := range []string{scenario.HTTP1, scenario.GRPC} {
		s := scenario.Scenario{Protocol: protocol, Payload: 16, Concurrency: 2}
		m, err := runClients(t.Context(), client.Assignment{
			Variant: client.Base(protocol), Scenario: s, Addrs: []string{l.Addr().String()}, Duration: 50 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		if m.Calls != 0 || m.Errors == 0 || m.FirstError == "" {
			t.Fatalf("%s: %+v", protocol, m)
		}
		var r report.Report
		r.Add(s, []*report.Lane{{Name: client.Base(protocol), Runs: []load.Measurement{m}}})
		var out bytes.Buffer
		if err := r.Print(&out, false); err == nil || !strings.Contains(err.Error(), "calls failed") {
			t.Errorf("%s: print returned %v", protocol, err)
		}
		if r.Rows[0].Errors != m.Errors || !strings.Contains(out.String(), m.FirstError) {
			t.Errorf("%s: the report hides the failures:\n%s", protocol, &out)
		}
	}
}

func TestCommandLineIsRefusedWithFieldAndRule(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-protocol http3", `-protocol "http3": allowed are http1, http2, grpc, grpc-stream`},
		{"-variants envoy", `-variants "envoy": allowed are plain, round-robin,`},
		{"-variants plain,sidecar-traefik", `-variants "sidecar-traefik": allowed are`},
		{"-variants central-envoy-unix", `-variants "central-envoy-unix": allowed are`},
		{"-variants plain-unix-x4", `-variants "plain-unix-x4": allowed are`},
		{"-variants ,", `-variants "": allowed are`},
		{"-concurrency 0", `-concurrency "0": allowed are whole numbers from 1 to 4096`},
		{"-payload 1,x", `-payload "x": allowed are whole numbers`},
		{"-handler lazy", `-handler "lazy": allowed are thin, heavy, chain`},
		{"-deadline 1", `-deadline "1": allowed are none and durations`},
		{"-deadline 1us", `-deadline "1us": allowed are none and durations of at least a millisecond`},
		{"-pairs 0", "-pairs 0: allowed are"},
		{"-duration 1ms", "-duration 1ms: allowed is"},
		{"-warmup -1s", "-warmup -1s: allowed is"},
		{"-rate 1.5", "-rate 1.5: allowed are numbers from 0 (no open loop) to 0.9"},
		{"-rate NaN", "-rate NaN: allowed are"},
		{"-open 1ms", "-open 1ms: allowed is"},
		{"more", `argument "more"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			var said bytes.Buffer
			if _, err := parse(strings.Fields(c.args), &said); err == nil || !strings.Contains(said.String(), c.want) {
				t.Errorf("said %q (%v), want %q", &said, err, c.want)
			}
		})
	}
}

func TestAllThatIsWrongWithACommandLineIsToldAtOnce(t *testing.T) {
	var said bytes.Buffer
	if _, err := parse(strings.Fields("-protocol tcp -payload 0 -pairs 0"), &said); err == nil || strings.Count(said.String(), "allowed are") != 3 {
		t.Errorf("said %q", &said)
	}
}

func TestProfilesAreWrittenPerRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	outcome(t, "-pairs", "1", "-warmup", "0", "-duration", "20ms", "-rate", "0", "-concurrency", "4", "-protocol", "http1", "-variants", "fairlead-off,plain-x4", "-json", "-profile", dir)
	var got []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".cpu.pprof"); ok {
			got = append(got, strings.TrimPrefix(name, "http1-128-4-thin-none-"))
		}
	}
	want := []string{"AA-0", "fairlead-off-0", "plain-0", "plain-x4-0-0", "plain-x4-0-1", "plain-x4-0-2", "plain-x4-0-3"}
	if err != nil || !slices.Equal(got, want) || len(entries) != 2*len(want) {
		t.Errorf("%d profiles, of the CPU %v (%v), want %v and as many of allocations", len(entries), got, err, want)
	}
}
