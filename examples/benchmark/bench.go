package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// bench holds what runs as long as the benchmark.
type bench struct {
	market  market
	root    string // of all sockets and configurations
	dirs    int
	servers *fleet
}

// prepare starts the servers and looks for proxies.
func prepare(ctx context.Context) (_ *bench, err error) {
	b := &bench{market: proxies.Find(ctx)}
	if b.root, err = os.MkdirTemp("", "fairlead"); err != nil {
		return nil, err
	}
	if b.servers, err = b.serve(ctx, nil); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.root))
	}
	return b, nil
}

// serve starts a process with servers; next is the hop that they call.
func (b *bench) serve(ctx context.Context, next *client.Assignment) (*fleet, error) {
	dir, err := b.dir()
	if err != nil {
		return nil, err
	}
	return startFleet(ctx, target.Settings{Dir: dir, Next: next})
}

// dir makes a folder that no other process uses.
func (b *bench) dir() (string, error) {
	b.dirs++
	dir := filepath.Join(b.root, strconv.Itoa(b.dirs))
	return dir, os.Mkdir(dir, 0o700)
}

func (b *bench) close() error { return errors.Join(b.servers.stop(), os.RemoveAll(b.root)) }

// market is the proxies that there are.
type market []proxies.Kind

func (m market) names() (names []string) {
	for _, k := range m {
		names = append(names, k.Name)
	}
	return names
}

// refuses says why a way is not for a scenario; "" if it is.
func (m market) refuses(w way, s scenario.Scenario) string {
	switch {
	case w.hops == 0 && client.Dial(w.variant, s.Protocol) == nil:
		return "it does not speak " + s.Protocol
	case w.hops > 0 && s.Handler == scenario.Chain:
		return "a chain here has no proxies"
	case s.Concurrency%w.clients != 0:
		return fmt.Sprintf("%d clients cannot share %d calls in flight", w.clients, s.Concurrency)
	}
	return ""
}

func (m market) kind(name string) proxies.Kind {
	return m[slices.IndexFunc(m, func(k proxies.Kind) bool { return k.Name == name })]
}
