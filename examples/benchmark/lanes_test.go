package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// tiny is a run that is as short as can be, and still has every part.
func tiny(args ...string) []string {
	return append([]string{"-json", "-pairs", "1", "-warmup", "10ms", "-duration", "30ms", "-open", "30ms", "-concurrency", "4"}, args...)
}

// Every kind of lane that needs nothing installed.
func TestEveryKindOfLaneMakesARow(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"-protocol http1 -handler heavy -variants fairlead-metrics-unix,sidecar2-fairlead-unix,central-fairlead", "plain A/A sidecar2-fairlead-unix plain-unix fairlead-metrics-unix plain-x4 central-fairlead"},
		{"-protocol http2,grpc-stream -variants sidecar-fairlead-unix", "plain A/A sidecar-fairlead-unix round-robin A/A sidecar-fairlead-unix"},
		{"-protocol grpc -variants sidecar2-fairlead -deadline 1s", "round-robin A/A sidecar2-fairlead"},
		{"-protocol grpc -handler chain -variants fairlead-all -deadline 5s", "round-robin A/A fairlead-all"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r, _ := outcome(t, tiny(strings.Fields(c.args)...)...)
			var got []string
			for _, in := range r.Rows {
				got = append(got, in.Variant)
				if in.RPS <= 0 || in.Rate <= 0 || in.P50 <= 0 || in.Errors != 0 {
					t.Errorf("row makes no sense: %+v", in)
				}
				if runtime.GOOS == "linux" && (in.ProxyCPU > 0) != (strings.HasPrefix(in.Variant, "sidecar") || strings.HasPrefix(in.Variant, "central")) {
					t.Errorf("%s: proxies use %v µs of a call", in.Variant, in.ProxyCPU)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("rows\ngot  %s\nwant %s", strings.Join(got, " "), c.want)
			}
			for _, proxied := range []string{"sidecar", "central"} {
				if strings.Contains(c.args, proxied) && !slices.ContainsFunc(r.Proxies, func(p report.Proxy) bool { return p.Name == "fairlead" }) {
					t.Errorf("the report does not say what proxies are: %+v", r.Proxies)
				}
			}
		})
	}
}

// What a lane needs is not one process more than it says, and nothing of it is left.
func TestALaneStartsWhatItNeedsAndStopsIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not tell of processes")
	}
	before := children(t)
	b, err := prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	grpc := scenario.Scenario{Protocol: scenario.GRPC, Payload: 8, Concurrency: 4, Handler: scenario.Thin, Deadline: scenario.None}
	chained := grpc
	chained.Handler = scenario.Chain
	for _, c := range []struct {
		name             string
		in               scenario.Scenario
		addrs            int
		unix             bool
		servers, proxies int
	}{
		{"fairlead-metrics", grpc, 4, false, 1, 0},
		{"round-robin-unix", grpc, 4, true, 1, 0},
		{"sidecar-fairlead", grpc, 1, false, 1, 1},
		{"sidecar-fairlead-unix", grpc, 1, true, 1, 1},
		{"sidecar2-fairlead-unix", grpc, 1, true, 1, 2},
		{"central-fairlead", grpc, 1, false, 1, 1},
		{"fairlead-metrics", chained, 4, false, 10, 0},
	} {
		w, ok := parseWay(c.name)
		if !ok {
			t.Fatalf("no way %s", c.name)
		}
		at, err := b.open(t.Context(), w, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if len(at.addrs) != c.addrs || strings.HasPrefix(at.addrs[0], "unix:") != c.unix || len(at.processes.Servers) != c.servers || len(at.processes.Proxies) != c.proxies {
			t.Errorf("%s, %s: %+v", c.name, c.in.Handler, at)
		}
		for _, pid := range append(at.processes.Servers, at.processes.Proxies...) {
			if _, _, err := load.Usage(pid); err != nil {
				t.Errorf("%s: process %d: %v", c.name, pid, err)
			}
		}
		if err := at.close(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if now := children(t); len(now) != len(before)+1 {
			t.Errorf("%s, %s: processes %v run beside %v and the servers", c.name, c.in.Handler, now, before)
		}
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if now := children(t); !slices.Equal(now, before) {
		t.Errorf("processes %v run at the end, %v before", now, before)
	}
	if _, err := os.Stat(b.root); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", b.root, err)
	}
}

// children are the processes that this one has started, and not yet buried.
func children(t *testing.T) (pids []string) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		t.Skip("this kernel does not tell of children")
	}
	for _, list := range lists {
		of, _ := os.ReadFile(list) // of a thread that may have ended
		pids = append(pids, strings.Fields(string(of))...)
	}
	slices.Sort(pids)
	return pids
}

// An interruption in the second scenario, while a client calls through a proxy:
// their processes end, and the first scenario is printed.
func TestAnInterruptionEndsAllProcessesAndTellsWhatWasFound(t *testing.T) {
	before := children(t)
	p, err := parse(tiny("-protocol", "http1", "-payload", "8,16", "-variants", "sidecar-fairlead"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	err = run(ctx, p, &out, trap{"2 of 2", func() {
		go func() { // ends with the second scenario at the latest
			for len(children(t)) < len(before)+3 && ctx.Err() == nil { // servers, proxy, client
				time.Sleep(time.Millisecond)
			}
			interrupt()
		}()
	}})
	if err == nil || !strings.Contains(err.Error(), "16 B") || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("run returned %v", err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"variant":"sidecar-fairlead"`) || !strings.Contains(last, "interrupted") {
		t.Errorf("the last line is %s", last)
	}
	if now := children(t); !slices.Equal(now, before) {
		t.Errorf("processes %v run at the end, %v before", now, before)
	}
}

// trap does something when a text is written.
type trap struct {
	text string
	do   func()
}

func (t trap) Write(said []byte) (int, error) {
	if bytes.Contains(said, []byte(t.text)) {
		t.do()
	}
	return len(said), nil
}
