package proxies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead-go/fairlead/examples/internal/meshproxy"
)

// RoleVariable tells a child of this program what it is.
const RoleVariable = "FAIRLEAD_BENCHMARK_ROLE"

// role is that of a child that is fairlead's proxy.
const role = "proxy"

// Play turns the process into fairlead's proxy if it was started as that, and then never
// returns. Call it first thing in main.
func Play() {
	if os.Getenv(RoleVariable) != role {
		return
	}
	if err := serve(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve is the life of fairlead's proxy: until SIGTERM, or until its standard input ends,
// as it does with its parent. There it reads its settings first.
func serve(stdin io.Reader) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var s settings
	if err := json.NewDecoder(stdin).Decode(&s); err != nil {
		return fmt.Errorf("settings of the proxy: %w", err)
	}
	go func() { // ends with the process
		io.Copy(io.Discard, stdin)
		stop()
	}()
	ended := make(chan error)
	for _, hop := range s.Hops {
		var upstreams []string
		for _, u := range hop.Upstreams {
			upstreams = append(upstreams, string(u))
		}
		go func() { ended <- meshproxy.Serve(ctx, string(hop.Listen), s.Protocol, upstreams...) }() // ends with ctx
	}
	var errs []error
	for range s.Hops {
		errs = append(errs, <-ended)
		stop() // one that cannot serve ends them all
	}
	return errors.Join(errs...)
}
