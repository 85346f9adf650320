package transport

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/interrupt"
)

// announcer keeps an instance announced while it is ready and takes it back
// when it goes. It is used by one goroutine.
type announcer struct {
	mesh     *Mesh
	instance discovery.Instance
	config   ServeConfig

	announced discovery.Registration // nil while withdrawn
	since     time.Time              // when it was last announced; zero: never
	withdrawn time.Time              // when that was; zero: never
	agree     int                    // checks in a row that want it otherwise
}

// keep follows readiness until ctx is done. An error says that the instance
// cannot be announced, now or later.
func (a *announcer) keep(ctx context.Context) error {
	if a.config.Ready == nil {
		if err := a.announce(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(a.config.ReadyInterval)
	defer tick.Stop()
	log := a.mesh.logger.With("service", a.instance.Service, "id", a.instance.ID)
	for first := true; ; first = false {
		err := a.ask(ctx)
		switch turn := a.turn(err == nil); {
		case ctx.Err() != nil:
			return nil
		case turn && err == nil:
			if err := a.announce(ctx); err != nil {
				return err
			}
		case turn:
			log.Warn("fairlead: not ready, withdrawing", "error", err)
			a.retreat(ctx)
		case err != nil && first:
			log.Info("fairlead: not ready yet, not announced", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// turn reports whether the outcome of a check changes what is announced.
func (a *announcer) turn(ready bool) bool {
	if ready == (a.announced != nil) {
		a.agree = 0
		return false
	}
	a.agree++
	switch {
	case !ready:
		return a.agree >= a.config.Fall
	case a.since.IsZero():
		return true
	default:
		return a.agree >= a.config.Rise && time.Since(a.since) >= a.config.AnnounceInterval
	}
}

// ask bounds one readiness check: a check that hangs is a check that fails.
func (a *announcer) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(a.config.ReadyInterval, time.Second))
	defer cancel()
	return a.config.Ready(ctx)
}

func (a *announcer) announce(ctx context.Context) (err error) {
	if a.announced, err = a.mesh.Register(ctx, a.instance); err != nil {
		return fmt.Errorf("register %s of %s: %w", a.instance.ID, a.instance.Service, err)
	}
	a.since, a.agree = time.Now(), 0
	return nil
}

// retreat withdraws an instance that goes on living. It drains first, since
// callers hold on to an instance that vanishes without a reason.
func (a *announcer) retreat(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, a.config.RegistryTimeout)
	defer cancel()
	if a.drain(bounded) == nil {
		interrupt.Pause(ctx, a.config.Grace)
	}
	a.withdraw()
}

func (a *announcer) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.RegistryTimeout)
	defer cancel()
	if err := a.announced.Close(ctx); err != nil {
		a.mesh.logger.Warn("fairlead: record not deleted, it will expire", "service", a.instance.Service, "id", a.instance.ID, "error", err)
	}
	a.announced, a.withdrawn, a.agree = nil, time.Now(), 0
}

// leave is steps 1 to 3 of [Serve].
func (a *announcer) leave() {
	if a.announced == nil {
		if !a.withdrawn.IsZero() { // not everybody may have heard of it yet
			time.Sleep(a.config.Grace + a.config.DeleteGrace - time.Since(a.withdrawn))
		}
		return
	}
	log := a.mesh.logger.With("service", a.instance.Service, "id", a.instance.ID)
	ctx, cancel := context.WithTimeout(context.Background(), a.config.RegistryTimeout)
	err := a.drain(ctx)
	cancel()
	if err != nil {
		log.Warn("fairlead: nobody may know that this instance is draining", "error", err)
	}
	log.Info("fairlead: draining", "grace", a.config.Grace)
	time.Sleep(a.config.Grace)
	a.withdraw()
	time.Sleep(a.config.DeleteGrace)
}

// drain announces that the instance is draining and waits until the mesh's own
// watch shows that: then others had the chance to see it too. A list from
// before that, such as one from disk, shows nothing.
func (a *announcer) drain(ctx context.Context) error {
	began := time.Now()
	if err := a.announced.Drain(ctx); err != nil {
		return err
	}
	views, err := a.mesh.Views(ctx, a.instance.Service)
	if err != nil {
		return err
	}
	for view := range views {
		if view.Snapshot.State == discovery.Stale && view.Snapshot.AsOf.Before(began) {
			continue
		}
		there := false
		for _, n := range view.Nodes {
			if n.ID() == a.instance.ID {
				there = !n.Instance().Draining
			}
		}
		if !there {
			return nil
		}
	}
	return cmp.Or(context.Cause(ctx), ErrClosed)
}
