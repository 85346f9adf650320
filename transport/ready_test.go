package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

func TestReadyTellsWhetherTheInstanceIsRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m := newMesh(t, fleet)
		want := func(when, part string, services ...string) {
			t.Helper()
			err := m.Ready(services...)
			if (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", when, err, part)
			}
		}
		want("a mere client", "")
		want("before the announcement", "no instance of orders", "orders")

		fleet.Fail(errDown)
		there := me
		there.Addr = "10.0.0.7:80"
		r, err := m.Register(t.Context(), there)
		if err != nil {
			t.Fatal(err)
		}
		want("never registered", "is not registered: ", "orders")
		fleet.Heal()
		want("registered", "", "orders")
		want("another service", "no instance of users", "orders", "users")
		fleet.Fail(errDown)
		want("registered, then the registry is away", "", "orders")
		fleet.Heal()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("withdrawn", "no instance of orders", "orders")
	})
}

// Nerve's rise and fall, and what flapping may cost.
func TestRiseAndFall(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config transport.ServeConfig
		checks string // one a second: + ready, - not
		want   []string
	}{
		{"single errors are forgiven", transport.ServeConfig{Fall: 3}, "+--+--+--+--+", []string{"0s there"}},
		{"three in a row are not", transport.ServeConfig{Fall: 3}, "+---++++++", []string{"0s there", "3s gone", "5s there"}},
		{"the first nil announces", transport.ServeConfig{Rise: 3}, "--+++", []string{"2s there"}},
		{"later it takes Rise", transport.ServeConfig{Rise: 3}, "++++++-+-++-+++", []string{"0s there", "6s gone", "14s there"}},
		{"flapping is bounded", transport.ServeConfig{AnnounceInterval: 10 * time.Second}, strings.Repeat("+-", 15), []string{"0s there", "1s gone", "10s there", "11s gone", "20s there", "21s gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders()
				began := time.Now()
				var seen []string
				ctx, stop := context.WithCancel(t.Context())
				watched := make(chan struct{})
				go func() { // ends with ctx
					defer close(watched)
					there := false
					for s := range fleet.Watch(ctx, "orders") {
						if now := len(s.Instances) > 0; now != there {
							there = now
							seen = append(seen, fmt.Sprint(time.Since(began).Round(time.Second), map[bool]string{true: " there", false: " gone"}[now]))
						}
					}
				}()
				config := tt.config
				config.Signals, config.Grace, config.DeleteGrace = none, 1, 1
				config.Ready = func(context.Context) error {
					n := int(time.Since(began) / time.Second)
					if n < len(tt.checks) && tt.checks[n] == '-' {
						return errDown
					}
					return nil
				}
				time.AfterFunc(time.Duration(len(tt.checks))*time.Second-time.Millisecond, stop)
				if err := transport.Serve(ctx, newMesh(t, fleet), me, config, newServer("http", newDiary())); err != nil {
					t.Error(err)
				}
				<-watched
				if got, want := strings.Join(seen, ", "), strings.Join(tt.want, ", "); got != want {
					t.Errorf("others saw %s; want %s", got, want)
				}
			})
		})
	}
}

func TestChecks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	there := transport.TCPCheck(l.Addr().String())
	if err := there(t.Context()); err != nil {
		t.Errorf("somebody listens: %v", err)
	}
	good, bad := func(context.Context) error { return nil }, func(context.Context) error { return errDown }
	if err := transport.AllReady(good, there)(t.Context()); err != nil {
		t.Errorf("all hold: %v", err)
	}
	if err := transport.AllReady(good, bad, there)(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("one does not hold: %v", err)
	}
	l.Close()
	if there(t.Context()) == nil {
		t.Error("nobody listens, and the check holds")
	}
}

func ExampleMesh_Ready() {
	registry := new(discovery.Memory)
	mesh, err := transport.New(registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	fmt.Println(mesh.Ready("orders"))
	if _, err := mesh.Register(context.Background(), discovery.Instance{Service: "orders", Addr: "10.0.0.7:8080"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(mesh.Ready("orders"))
	// Output:
	// no instance of orders is announced
	// <nil>
}
