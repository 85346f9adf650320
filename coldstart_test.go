package fairlead_test

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/bubble"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// noting is a registry that remembers what it was asked for.
type noting struct {
	fleet *fairleadtest.Fleet
	mu    sync.Mutex
	asked []string
}

func (n *noting) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, what)
}

func (n *noting) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	n.note("watch " + service)
	return n.fleet.Watch(ctx, service)
}

func (n *noting) Refresh(_ context.Context, service string) error {
	n.note("refresh " + service)
	return nil
}

// A function's cold start pays for what it uses. A mesh with both doors that
// nobody has called yet has no goroutine, asks nobody for anything and does
// nothing as time goes by. Then each service is watched from its first call on,
// and no other.
func TestNothingRunsBeforeTheFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := &noting{fleet: fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)}
		before := bubble.Goroutines()
		mesh, err := transport.New(registry)
		if err != nil {
			t.Fatal(err)
		}
		defer mesh.Close(t.Context())
		base := fairhttp.New(mesh, nil) // an http.Transport
		defer base.Close()
		door := fairhttp.New(mesh, registry.fleet)
		defer door.Close()
		fairgrpc.DialOptions(mesh)
		fairgrpc.Resolver(mesh)
		for range 60 {
			if got := bubble.Goroutines(); got != before || len(registry.asked) != 0 {
				t.Fatalf("%d goroutines more, the registry was asked for %v", got-before, registry.asked)
			}
			time.Sleep(time.Minute)
		}

		client := &http.Client{Transport: door}
		for range 2 {
			resp, err := client.Get("mesh://orders/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if bubble.Goroutines() == before || !slices.Equal(registry.asked, []string{"watch orders"}) {
			t.Errorf("after the first call: %d goroutines more, the registry was asked for %v", bubble.Goroutines()-before, registry.asked)
		}
	})
}
