package target_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

var protocols = []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC, scenario.GRPCStream}

func open(t *testing.T, s target.Settings) *target.Fleet {
	t.Helper()
	f, err := target.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// worker is one of the base's.
func worker(t *testing.T, s scenario.Scenario, addrs []string) func() {
	t.Helper()
	c, err := client.Assignment{Variant: client.Base(s.Protocol), Scenario: s, Addrs: addrs}.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	call := c.Worker()
	return func() {
		t.Helper()
		if err := call(t.Context()); err != nil {
			t.Fatalf("%s: %v", s.Title(), err)
		}
	}
}

func sum(of []int64) (all int64) {
	for _, n := range of {
		all += n
	}
	return all
}

func TestServeTellsWhereItListensAndEndsWithItsInput(t *testing.T) {
	dir := t.TempDir()
	line, err := json.Marshal(target.Settings{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stdin, parent := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- target.Serve(stdin, stdout) }()
	if _, err := parent.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	var at target.Places
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		if len(at.TCP[p]) != 4 || len(at.Unix[p]) != 4 {
			t.Errorf("%s is spoken at %v and %v, want four of each", p, at.TCP[p], at.Unix[p])
		}
		for _, addr := range at.Unix[p] {
			if !strings.HasPrefix(addr, "unix:"+dir+"/") {
				t.Errorf("%s: socket %s is not in %s", p, addr, dir)
			}
		}
		worker(t, scenario.Scenario{Protocol: p, Payload: 1, Concurrency: 1, Handler: scenario.Thin}, at.Unix[p])()
	}
	parent.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("sockets left behind: %v (%v)", left, err)
	}
}

func TestServeRefusesWhatItCannotRead(t *testing.T) {
	var out bytes.Buffer
	if err := target.Serve(strings.NewReader("four\n"), &out); err == nil || out.Len() > 0 {
		t.Errorf("said %q and %v, want nothing and an error", &out, err)
	}
}

func TestPayloadsComeBackWhole(t *testing.T) {
	f := open(t, target.Settings{})
	for _, p := range protocols {
		for _, payload := range []int{128, 4 << 10, 64 << 10} {
			call := worker(t, scenario.Scenario{Protocol: p, Payload: payload, Concurrency: 1, Handler: scenario.Thin}, f.Places.TCP[p])
			call()
			call() // on what the first one left open
		}
	}
	if got, want := sum(f.Calls()), int64(len(protocols)*3*2); got != want {
		t.Errorf("%d calls were counted, want %d", got, want)
	}
}

// What is called http2 must not be measured over HTTP/1.1.
func TestEachAddressSpeaksItsProtocolOnly(t *testing.T) {
	f := open(t, target.Settings{})
	only := func(http1 bool) *http.Client {
		p := new(http.Protocols)
		p.SetHTTP1(http1)
		p.SetUnencryptedHTTP2(!http1)
		pool := &http.Transport{Protocols: p}
		t.Cleanup(pool.CloseIdleConnections)
		return &http.Client{Transport: pool}
	}
	for _, c := range []struct {
		http1 bool
		at    string
		major int // 0: it is not spoken
	}{{true, scenario.HTTP1, 1}, {false, scenario.HTTP1, 0}, {false, scenario.HTTP2, 2}, {true, scenario.HTTP2, 0}} {
		resp, err := only(c.http1).Post("http://"+f.Places.TCP[c.at][0]+"/orders/thin", "", strings.NewReader("echo"))
		if err != nil {
			if c.major != 0 {
				t.Errorf("%s: %v", c.at, err)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if c.major == 0 && resp.StatusCode == http.StatusOK || c.major != 0 && (err != nil || resp.ProtoMajor != c.major || string(body) != "echo") {
			t.Errorf("%s answered a client of HTTP/1.1 (%t) with %s %s %q (%v)", c.at, c.http1, resp.Proto, resp.Status, body, err)
		}
	}
}

func TestAHandlerNobodyKnowsIsRefused(t *testing.T) {
	f := open(t, target.Settings{})
	for _, p := range protocols {
		c, err := client.Assignment{
			Variant: client.Base(p), Scenario: scenario.Scenario{Protocol: p, Payload: 1, Handler: "thick"}, Addrs: f.Places.TCP[p],
		}.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Worker()(t.Context()); err == nil {
			t.Errorf("%s: a handler that is not there has answered", p)
		}
		c.Close()
	}
}

func TestTheHeavyHandlerWorks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell")
	}
	f := open(t, target.Settings{})
	for _, p := range protocols {
		used := func(handler string) time.Duration {
			call := worker(t, scenario.Scenario{Protocol: p, Payload: 128, Concurrency: 1, Handler: handler}, f.Places.TCP[p])
			for range 8 {
				call() // connects
			}
			before := ownCPU(t)
			for range 50 {
				call()
			}
			return ownCPU(t) - before
		}
		// It is 50 ms, of which the machine may well take a half away or add one.
		if thin, heavy := used(scenario.Thin), used(scenario.Heavy); heavy-thin < 25*time.Millisecond {
			t.Errorf("%s: 50 heavy calls take %v of CPU, 50 thin ones %v", p, heavy, thin)
		}
	}
}

func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	cpu, _, err := load.Usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// Each hop has to call the next once for each call, by the way it was given.
func TestAChainCallsFromHopToHop(t *testing.T) {
	for _, p := range protocols {
		for _, variant := range []string{client.Base(p), "fairlead-metrics"} {
			t.Run(p+"/"+variant, func(t *testing.T) {
				s := scenario.Scenario{Protocol: p, Payload: 4 << 10, Concurrency: 2, Handler: scenario.Chain}
				hops := []*target.Fleet{open(t, target.Settings{})}
				for range 2 {
					hops = append(hops, open(t, target.Settings{Next: &client.Assignment{
						Variant: variant, Scenario: s, Addrs: hops[len(hops)-1].Places.TCP[p],
					}}))
				}
				call := worker(t, s, hops[len(hops)-1].Places.TCP[p])
				const calls = 20
				for range calls {
					call()
				}
				for n, f := range slices.Backward(hops) {
					if got := sum(f.Calls()); got != calls {
						t.Errorf("%d hops before the end %d calls came, want %d", n, got, calls)
					}
				}
			})
		}
	}
}

func TestAChainThatBreaksFailsTheCall(t *testing.T) {
	for _, p := range protocols {
		s := scenario.Scenario{Protocol: p, Payload: 1, Concurrency: 1, Handler: scenario.Chain}
		last, err := target.Open(target.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		first := open(t, target.Settings{Next: &client.Assignment{Variant: client.Base(p), Scenario: s, Addrs: last.Places.TCP[p]}})
		last.Close()
		c, err := client.Assignment{Variant: client.Base(p), Scenario: s, Addrs: first.Places.TCP[p]}.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Worker()(t.Context()); err == nil {
			t.Errorf("%s: the call succeeded without its last hop", p)
		}
		c.Close()
	}
}
