package proxies

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// parentVariable makes this test binary a program that starts the proxy of that name,
// and then does nothing any more.
const parentVariable = "PROXIES_TEST_PARENT"

// TestMain lets fairlead's proxy be this test binary in another role.
func TestMain(m *testing.M) {
	Play()
	if name := os.Getenv(parentVariable); name != "" {
		parent(name)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // for children: the race detector waits a second at their end
	os.Exit(m.Run())
}

// parent tells the processes of a proxy, and ends by being killed.
func parent(name string) {
	os.Unsetenv(parentVariable)
	found := Find(context.Background())
	k := found[slices.IndexFunc(found, func(k Kind) bool { return k.Name == name })]
	dir, _ := os.Getwd()
	p, err := k.Start(context.Background(), Config{Dir: dir, Protocol: scenario.HTTP1, Hops: []Hop{{Upstreams: []string{"127.0.0.1:1"}}}})
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(p.PIDs())
	select {}
}
