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
	s, err := newSettings(c, dir, free)
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
		"GOMAXPROCS="+strconv.Itoa(s.Cores), roleVariable+"="+role)
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
	for _, addr := range p.Addrs {
		for !serves(ctx, address(addr), http1) {
			if err := p.pause(ctx); err != nil {
				return err
			}
		}
	}
	for counted() && len(p.PIDs()) < processes {
		if err := p.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pause waits a moment, if there is still something to wait for.
func (p *Process) pause(ctx context.Context) error {
	select {
	case <-p.exited:
		return fmt.Errorf("it ended: %w", p.failure)
	case <-ctx.Done():
		return interrupt.Err(ctx)
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}
