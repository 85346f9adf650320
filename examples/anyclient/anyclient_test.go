package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

func TestCommandsGoWhereTheyAreServed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	ok, steps, code := play(t)
	if !ok || code != 0 || len(steps) != 5 {
		t.Errorf("ok is %v with %d steps, exit code %d", ok, len(steps), code)
	}
}

// A verdict that cannot fail says nothing: each sabotage must fail the step
// that shows what was switched off, and none before it.
func TestSabotageFails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	for _, sabotage := range sabotages {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			ok, steps, code := play(t, "-sabotage", sabotage)
			if ok || code != 1 {
				t.Errorf("ok is %v, exit code %d", ok, code)
			}
			for _, v := range steps {
				if early := v.Name == "weight" || v.Name == "mistakes"; early != v.OK && (early || v.Name == "eject") {
					t.Errorf("step %s: %+v", v.Name, v)
				}
			}
		})
	}
}

func TestJudge(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithTimeout(t.Context(), 0)
	defer end()
	for _, row := range []struct {
		name string
		ctx  context.Context
		err  error
		want balancer.Result
	}{
		{"an answer", t.Context(), nil, balancer.Success},
		{"an answer after all", cancelled, nil, balancer.Success},
		{"the caller's mistake", t.Context(), replyError("ERR unknown command"), balancer.Success},
		{"it is loading", t.Context(), replyError("LOADING dataset"), balancer.Failure},
		{"it is a replica", t.Context(), replyError("READONLY replica"), balancer.Failure},
		{"nobody listens", t.Context(), &dialError{errors.New("refused")}, balancer.Unreachable},
		{"the caller gave up", cancelled, errors.New("i/o timeout"), balancer.Neutral},
		{"the caller gave up while it dialled", cancelled, &dialError{errors.New("canceled")}, balancer.Neutral},
		{"its time was over while it dialled", late, &dialError{errors.New("i/o timeout")}, balancer.Failure},
		{"the connection broke", t.Context(), errors.New("EOF"), balancer.Failure},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := judge(row.ctx, row.err); got != row.want {
				t.Errorf("judged as %d, want %d", got, row.want)
			}
		})
	}
}

// Addresses that left the list keep no connections, and the others not many.
func TestIdleConnectionsAreBounded(t *testing.T) {
	s, err := serve()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	pool, err := balancer.NewPool(balancer.PoolConfig{Reach: discovery.Reach{Loopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	addr := s.listener.Addr().String()
	var i idle
	i.list(pool.Update(discovery.Snapshot{State: discovery.Live, Instances: discovery.List(
		discovery.Instance{ID: "a", Addr: addr})}, balancer.Now()).Nodes)
	var calls sync.WaitGroup
	for range 4 * mostIdle {
		calls.Go(func() {
			if _, err := i.exchange(t.Context(), addr, []string{"PING"}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := len(i.conns[addr]); n == 0 || n > mostIdle {
		t.Errorf("%d connections are kept", n)
	}
	kept := i.conns[addr][0]
	i.list(nil)
	if _, err := kept.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("one to an address that left: %v", err)
	}
	if i.exchange(t.Context(), addr, []string{"PING"}); len(i.conns[addr]) > 0 {
		t.Error("a connection was kept to an address that is not listed")
	}
}

// probing tells what the policy was asked.
type probing struct{ retries *[]bool }

func (probing) String() string { return "probing" }

func (p probing) Picker(c balancer.Candidates) balancer.Picker {
	return probed{p, balancer.RoundRobin{}.Picker(c)}
}

type probed struct {
	probing
	inner balancer.Picker
}

func (p probed) Pick(r balancer.Request) *balancer.Node {
	*p.retries = append(*p.retries, r.Retry)
	return p.inner.Pick(r)
}

// The second attempt says that it is one, so that it is no probe.
func TestTheSecondAttemptIsARetry(t *testing.T) {
	var retries []bool
	pool, err := balancer.NewPool(balancer.PoolConfig{
		Reach: discovery.Reach{Loopback: true}, Balancing: balancer.Balancing{Policy: probing{&retries}},
	})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update(discovery.Snapshot{State: discovery.Live, Instances: discovery.List(
		discovery.Instance{ID: "a", Addr: "127.0.0.1:1"}, discovery.Instance{ID: "b", Addr: "127.0.0.2:1"})}, balancer.Now())
	c := client{pool: pool, attempts: 2}
	if _, err := c.Do(t.Context(), "PING"); err == nil {
		t.Error("nobody listens, and it was answered")
	}
	if len(retries) < 2 || retries[0] || !retries[1] {
		t.Errorf("the picks were retries: %v", retries)
	}
}

// play runs the program.
func play(t *testing.T, args ...string) (ok bool, steps []step, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := program.Command(ctx, append([]string{"-once", "-json"}, args...)...)
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	t.Logf("%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var got struct {
		OK    bool
		Steps []step
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("the last line is no verdict: %v", err)
	}
	return got.OK, got.Steps, cmd.ProcessState.ExitCode()
}
