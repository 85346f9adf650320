package fairgrpc

import (
	"fmt"
	"sync"
	"testing"

	_ "google.golang.org/grpc/health/grpc_health_v1" // links its methods into the test
)

// What the descriptors linked into a program say is read once and kept; other
// methods, of which there may be any number, are not.
func TestMethods(t *testing.T) {
	m := new(methods)
	for range 2 { // the second time from memory
		for _, tt := range []struct {
			name string
			want method
		}{
			{"/grpc.health.v1.Health/Check", method{}},
			{"/grpc.health.v1.Health/Watch", method{stream: true}},
			{"grpc.health.v1.Health/Check", method{}},
			{"/grpc.health.v1.Health/Nothing", method{}},
			{"/grpc.health.v1.HealthCheckRequest/Check", method{}},
			{"/unknown.Service/Check", method{}},
			{"/", method{}},
			{"", method{}},
		} {
			if got := m.of(tt.name); got != tt.want {
				t.Errorf("%s is %+v, want %+v", tt.name, got, tt.want)
			}
		}
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range 1000 {
				m.of(fmt.Sprintf("/unknown.Service/Method%d", i))
				m.of("/grpc.health.v1.Health/Check")
			}
		})
	}
	callers.Wait()
	if got := len(*m.known.Load()); got != 3 {
		t.Errorf("%d methods are kept, want the 3 spellings of linked ones", got)
	}
}
