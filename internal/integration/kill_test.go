package integration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// An instance dies and stays on the list, as it does until its lease expires.
// It refuses at once and so never has a call outstanding; however busy its
// peers are, it must not look better than they do, or the retries it costs
// would spend the budget.
func TestADeadInstanceIsNoSinkhole(t *testing.T) {
	for _, tt := range []struct{ instances, callers int }{{3, 8}, {3, 64}, {2, 64}, {3, 128}} {
		t.Run(fmt.Sprintf("%d callers of %d", tt.callers, tt.instances), func(t *testing.T) {
			var servers []*httptest.Server
			var instances []discovery.Instance
			for range tt.instances {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(20 * time.Millisecond) // its work
					io.WriteString(w, "done")
				}))
				t.Cleanup(s.Close)
				servers = append(servers, s)
				instances = append(instances, discovery.Addrs("orders", s.Listener.Addr().String())...)
			}
			registry, err := discovery.NewStatic(instances...)
			if err != nil {
				t.Fatal(err)
			}
			mesh, err := transport.New(registry)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { mesh.Close(context.Background()) })
			client := &http.Client{Transport: fairhttp.New(mesh, nil)}

			var calls, failed atomic.Int64
			var stopped atomic.Bool
			var callers sync.WaitGroup
			for range tt.callers {
				callers.Go(func() {
					for !stopped.Load() {
						calls.Add(1)
						answer, err := client.Get("mesh://orders/")
						if err != nil {
							failed.Add(1)
							continue
						}
						io.Copy(io.Discard, answer.Body)
						answer.Body.Close()
					}
				})
			}
			eventually(t, "calls are under way", func() bool { return calls.Load() > 20*int64(tt.callers) })
			servers[0].CloseClientConnections()
			servers[0].Listener.Close()
			at := calls.Load()
			eventually(t, "enough calls were made without it", func() bool { return calls.Load() > at+50*int64(tt.callers) })
			stopped.Store(true)
			callers.Wait()

			d := mesh.Dump().Services[0]
			t.Logf("%d calls, %d failed, %d retries", calls.Load(), failed.Load(), d.Retries)
			if failed.Load() > 0 || d.Retries > calls.Load()/10 {
				t.Errorf("%d of %d calls failed with %d retries", failed.Load(), calls.Load(), d.Retries)
			}
		})
	}
}
