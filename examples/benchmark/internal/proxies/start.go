package proxies

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// patience is how long a proxy may take to start; on an idle machine none takes a
// second.
const patience = 20 * time.Second

// moment is the time from one look at a proxy that starts to the next.
const moment = 5 * time.Millisecond

// Start runs the proxy, and returns when all its listeners serve. The error has what the
// proxy says of it. The context is that of the start: the proxy runs until Stop, or until
// this process ends.
func (k Kind) Start(ctx context.Context, c Config) (*Process, error) {
	return k.start(ctx, c, loopback.Addr)
}

// start tries again where somebody has taken an address that was free.
func (k Kind) start(ctx context.Context, c Config, free func() (string, error)) (p *Process, err error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	for range 3 {
		p, err = k.try(ctx, c, free)
		if err == nil {
			return p, nil
		}
		if !strings.Contains(strings.ToLower(err.Error()), "address already in use") {
			break
		}
	}
	return nil, fmt.Errorf("%s %s: %w", k.Name, k.Version, err)
}

func (k Kind) try(ctx context.Context, c Config, free func() (string, error)) (*Process, error) {
	dir, err := os.MkdirTemp(c.Dir, k.Name+"-")
	if err != nil {
		return nil, err
	}
	s, err := newSettings(k.Version, c, dir, free)
	if err != nil {
		return nil, err
	}
	config, err := k.recipe.configure(s)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, k.recipe.file)
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(k.Path, k.recipe.args(file, s)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		"GOMAXPROCS="+strconv.Itoa(s.Cores), RoleVariable+"="+role)
	p, err := launch(cmd, config)
	if err != nil {
		return nil, err
	}
	for _, hop := range s.Hops {
		p.Addrs = append(p.Addrs, string(hop.Listen))
	}
	processes := 1
	if k.recipe.workers {
		processes += s.Cores
	}
	if err := p.await(ctx, s.HTTP1(), processes); err != nil {
		err = p.explain(err)
		p.Stop()
		return nil, err
	}
	return p, nil
}

// await waits until all listeners serve and all processes are there.
func (p *Process) await(ctx context.Context, http1 bool, processes int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it does not serve after %v", patience))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer context.AfterFunc(p.life, func() { end(fmt.Errorf("it ended: %w", context.Cause(p.life))) })()
	for _, addr := range p.Addrs {
		for !serves(ctx, address(addr), http1) {
			if !interrupt.Pause(ctx, moment) {
				return context.Cause(ctx)
			}
		}
	}
	for counted() && len(p.PIDs()) < processes {
		if !interrupt.Pause(ctx, moment) {
			return context.Cause(ctx)
		}
	}
	return nil
}
