package integration_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// frozenFor is as long as a standstill has to be for lists to be refreshed, and
// a little more.
const frozenFor = 32 * time.Second

// The child that is frozen finds its settings in these variables.
const (
	envFreezeEtcd   = "FAIRLEAD_FREEZE_ETCD"
	envFreezePrefix = "FAIRLEAD_FREEZE_PREFIX"
)

// thawed is what the child tells of its first call after the freeze.
type thawed struct {
	Answer string
	Err    string
	Took   time.Duration
	Thaws  uint64
	Lost   int64 // attempts that went to somebody who is gone
	Held   int   // instances that are called although they are gone
}

// A process is stopped in mid-step, as functions and containers are, and when
// it goes on its very first call must not go to those who have left meanwhile.
// Where nobody can say who is there now, the call goes to those who were.
func TestFirstCallAfterAFreeze(t *testing.T) {
	if os.Getenv(envFreezeEtcd) != "" {
		freezeChild()
	}
	t.Parallel()
	t.Run("EverybodyElseIsThere", func(t *testing.T) {
		t.Parallel()
		w := newFreeze(t)
		w.stop()
		w.clutter()
		w.replace()
		during(t, frozenFor)
		got := w.goOn()
		if got.Answer != "new" || got.Err != "" || got.Lost != 0 || got.Held != 0 || got.Thaws != 1 {
			t.Errorf("the first call: %+v, want an answer of a new instance at the first attempt", got)
		}
	})
	t.Run("TheConnectionToEtcdIsForgotten", func(t *testing.T) {
		t.Parallel()
		w := newFreeze(t)
		w.stop()
		w.network.Freeze()
		w.replace()
		during(t, frozenFor)
		if got := w.goOn(); got.Answer != "new" || got.Err != "" || got.Lost != 0 || got.Held != 0 || got.Thaws != 1 {
			t.Errorf("the first call: %+v, want an answer of a new instance at the first attempt", got)
		}
	})
	t.Run("EtcdCannotBeReached", func(t *testing.T) {
		t.Parallel()
		w := newFreeze(t)
		w.stop()
		w.network.Blackhole()
		during(t, frozenFor)
		got := w.goOn()
		if got.Answer != "old" || got.Err != "" || got.Thaws != 1 {
			t.Errorf("the first call: %+v, want an answer of an instance that is known", got)
		}
		if got.Took > 10*time.Second {
			t.Errorf("the first call took %s, want a second and slack", got.Took)
		}
	})
}

// freeze is a service and a process that calls it.
type freeze struct {
	t         *testing.T
	network   *tcpproxy.Proxy // between the process and etcd
	registry  *etcd.Registry
	instances []*announced
	process   *exec.Cmd
	says      *bufio.Reader
}

type announced struct {
	server       *httptest.Server
	registration discovery.Registration
}

// newFreeze returns a process that has called instances that answer "old".
func newFreeze(t *testing.T) *freeze {
	t.Helper()
	server := etcdtest.Shared(t)
	w := &freeze{
		t:        t,
		network:  tcpproxy.New(t, server.Endpoint()),
		registry: open(t, config(t, server.Endpoint())),
	}
	w.serve("old")

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.process = exec.Command(self, "-test.run=^TestFirstCallAfterAFreeze$")
	w.process.Env = append(os.Environ(), envFreezeEtcd+"="+w.network.Addr(), envFreezePrefix+"="+prefix(t))
	w.process.Stderr = os.Stderr
	w.process.SysProcAttr = child.DieWithParent()
	out, err := w.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.process.Process.Kill()
		w.process.Wait() // reports the signal
	})
	w.says = bufio.NewReader(out)
	if got := w.line(); got != "old\n" {
		t.Fatalf("before the freeze the process is answered by %q", got)
	}
	return w
}

// serve starts five instances that answer so.
func (w *freeze) serve(answer string) {
	w.t.Helper()
	for n := range 5 {
		s := httptest.NewServer(http.HandlerFunc(func(r http.ResponseWriter, _ *http.Request) { io.WriteString(r, answer) }))
		w.t.Cleanup(s.Close)
		w.instances = append(w.instances, &announced{s, register(w.t, w.registry, "orders", fmt.Sprint(answer, n), s.Listener.Addr().String())})
	}
}

// replace ends all instances, after others have come.
func (w *freeze) replace() {
	w.t.Helper()
	old := w.instances
	w.serve("new")
	for _, a := range old {
		if err := a.registration.Close(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		a.server.CloseClientConnections()
		a.server.Close()
	}
}

// clutter writes so much below the service that whoever has to read all of it
// is not soon at its end.
func (w *freeze) clutter() {
	w.t.Helper()
	client := etcdtest.Shared(w.t).Client(w.t)
	nonsense := strings.Repeat("?", 4<<10)
	for range 20 {
		var puts []clientv3.Op
		for n := range 100 {
			puts = append(puts, clientv3.OpPut(instanceKey(w.t, "orders", fmt.Sprint("clutter", n)), nonsense))
		}
		if _, err := client.Txn(w.t.Context()).Then(puts...).Commit(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *freeze) stop() { w.signal(syscall.SIGSTOP) }

// goOn lets the process go on and returns how its first call went.
func (w *freeze) goOn() (got thawed) {
	w.t.Helper()
	w.signal(syscall.SIGCONT)
	if err := json.Unmarshal([]byte(w.line()), &got); err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *freeze) signal(s os.Signal) {
	w.t.Helper()
	if err := w.process.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *freeze) line() string {
	w.t.Helper()
	slow := time.AfterFunc(patience, func() { w.process.Process.Kill() })
	defer slow.Stop()
	line, err := w.says.ReadString('\n')
	if err != nil {
		w.t.Fatalf("the process said %q and no more: %v", line, err)
	}
	return line
}

// freezeChild is the process that is frozen.
func freezeChild() {
	quiet := slog.New(slog.DiscardHandler)
	mesh, err := transport.Open(etcd.Config{
		Client: clientv3.Config{Endpoints: []string{os.Getenv(envFreezeEtcd)}},
		Prefix: os.Getenv(envFreezePrefix),
		TTL:    etcd.MinTTL,
		Logger: quiet,
	}, transport.WithLogger(quiet))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	client := &http.Client{Transport: fairhttp.New(mesh, nil), Timeout: patience}
	answer, err := ask(client)
	if err != nil {
		answer = err.Error()
	}
	last := time.Now()
	fmt.Println(answer)

	// This goroutine is running when the process is stopped, so that it goes on
	// before any other has woken up.
	for {
		now := time.Now()
		if now.Sub(last) > frozenFor/2 {
			break
		}
		last = now
	}
	began := time.Now()
	answer, err = ask(client)
	got := thawed{Answer: answer, Took: time.Since(began)}
	if err != nil {
		got.Err = err.Error()
	}
	d := mesh.Dump()
	got.Thaws, got.Lost, got.Held = d.Thaws, d.Services[0].Attempts["lost"], d.Services[0].Held
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// ask calls orders.
func ask(client *http.Client) (string, error) {
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
