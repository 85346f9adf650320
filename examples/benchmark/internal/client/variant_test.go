package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

var protocols = []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC, scenario.GRPCStream}

// each runs f for every variant and each protocol that it speaks.
func each(t *testing.T, f func(t *testing.T, variant, protocol string)) {
	for _, variant := range client.Names() {
		for _, p := range protocols {
			if client.Dial(variant, p) != nil {
				t.Run(variant+"/"+p, func(t *testing.T) { f(t, variant, p) })
			}
		}
	}
}

func dial(t *testing.T, a client.Assignment) client.Caller {
	t.Helper()
	c, err := a.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func fleet(t *testing.T) *target.Fleet {
	t.Helper()
	f, err := target.Open(target.Settings{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestEveryVariantCallsAllInstances(t *testing.T) {
	f := fleet(t)
	places := map[string]map[string][]string{"tcp": f.Places.TCP}
	if discovery.BootID() != "" { // else fairlead takes no socket for one of this host
		places["unix"] = f.Places.Unix
	}
	each(t, func(t *testing.T, variant, protocol string) {
		for network, addrs := range places {
			for _, deadline := range []string{scenario.None, "10s"} {
				c := dial(t, client.Assignment{Variant: variant, Addrs: addrs[protocol], Scenario: scenario.Scenario{
					Protocol: protocol, Payload: 128, Concurrency: 4, Handler: scenario.Thin, Deadline: deadline,
				}})
				want := 4
				if variant == "plain" && strings.HasPrefix(protocol, scenario.GRPC) {
					want = 1 // as pick_first does
				}
				before := f.Calls()
				reached := func() (n int) {
					for i, calls := range f.Calls() {
						if calls > before[i] {
							n++
						}
					}
					return n
				}
				for calls := 0; calls < 8 || reached() < want; calls++ {
					if calls == 500 {
						t.Fatalf("over %s %d calls reached %d instances, want %d", network, calls, reached(), want)
					}
					// A worker for each, since a stream stays where it is.
					if err := c.Worker()(t.Context()); err != nil {
						t.Fatalf("over %s: %v", network, err)
					}
				}
				if got := reached(); got != want {
					t.Errorf("over %s %d instances were reached, want %d", network, got, want)
				}
			}
		}
	})
}

func TestEveryVariantNoticesAShortAnswer(t *testing.T) {
	at := short(t)
	each(t, func(t *testing.T, variant, protocol string) {
		c := dial(t, client.Assignment{Variant: variant, Addrs: at[protocol], Scenario: scenario.Scenario{
			Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin,
		}})
		if err := c.Worker()(t.Context()); err == nil || !strings.Contains(err.Error(), "127 bytes came back, not 128") {
			t.Errorf("a byte is missing, and the call says %v", err)
		}
	})
}

func TestADeadlineEndsACallThatIsNotAnswered(t *testing.T) {
	at := silent(t)
	var calls sync.WaitGroup
	defer calls.Wait()
	whole := t
	each(t, func(t *testing.T, variant, protocol string) {
		c, err := client.Assignment{Variant: variant, Addrs: at[protocol], Scenario: scenario.Scenario{
			Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin, Deadline: "1s",
		}}.Dial()
		if err != nil {
			t.Fatal(err)
		}
		calls.Go(func() { // all at once, since each takes the whole second
			defer c.Close()
			err := c.Worker()(context.Background())
			if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
				whole.Errorf("%s/%s: the call ended with %v", variant, protocol, err)
			}
		})
	})
}

func TestABadDeadlineIsRefused(t *testing.T) {
	each(t, func(t *testing.T, variant, protocol string) {
		for _, deadline := range []string{"soon", "-1s", "0s"} {
			_, err := client.Assignment{Variant: variant, Addrs: []string{"127.0.0.1:1"}, Scenario: scenario.Scenario{Protocol: protocol, Deadline: deadline}}.Dial()
			if err == nil || !strings.Contains(err.Error(), `deadline "`+deadline+`": allowed are none and durations above 0`) {
				t.Errorf("deadline %s: %v", deadline, err)
			}
		}
	})
}

// A stream that breaks is one error, not one for each message to come.
func TestAStreamThatBreaksIsOpenedAgain(t *testing.T) {
	each(t, func(t *testing.T, variant, protocol string) {
		if protocol != scenario.GRPCStream {
			t.Skip("no stream")
		}
		call := dial(t, client.Assignment{Variant: variant, Addrs: twice(t)[protocol], Scenario: scenario.Scenario{
			Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin,
		}}).Worker()
		var outcomes []bool
		for range 6 {
			outcomes = append(outcomes, call(t.Context()) == nil)
		}
		if want := []bool{true, true, false, true, true, false}; !slices.Equal(outcomes, want) {
			t.Errorf("the calls succeeded as %v, want %v", outcomes, want)
		}
	})
}

func TestAVariantThatIsNotThereIsRefused(t *testing.T) {
	for _, a := range []client.Assignment{
		{Variant: "plane", Scenario: scenario.Scenario{Protocol: scenario.HTTP1}},
		{Variant: "plain", Scenario: scenario.Scenario{Protocol: "http3"}},
	} {
		if _, err := a.Dial(); err == nil || !strings.Contains(err.Error(), "does not speak") {
			t.Errorf("%s over %s: %v", a.Variant, a.Scenario.Protocol, err)
		}
	}
}
