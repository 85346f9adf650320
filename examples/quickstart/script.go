package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
	"github.com/fairlead-go/fairlead/transport"
)

// stage is everything the script acts on.
type stage struct {
	etcd  *localetcd.Process
	store *clientv3.Client // the operator's own look at etcd
	fleet *fleet
	mesh  *transport.Mesh
	doors []*door
	show  *display
}

// plan is what the flags ask for.
type plan struct {
	sabotage string
	only     string // names of steps, "" for all
	hold     bool
}

func (p plan) plays(step string) bool {
	return p.only == "" || slices.Contains(strings.Split(p.only, ","), step)
}

func stepNames() []string {
	var names []string
	for _, step := range script {
		names = append(names, step.name)
	}
	return names
}

// run sets the stage, plays the script and clears up.
func run(ctx context.Context, p plan, show *display) (ok bool, verdicts []verdict, err error) {
	dir, err := os.MkdirTemp("", "fairlead-quickstart-")
	if err != nil {
		return false, nil, err
	}
	defer os.RemoveAll(dir)
	s := &stage{show: show}
	begin := time.Now()
	if s.etcd, err = localetcd.Start(ctx); err != nil {
		return false, nil, err
	}
	defer s.etcd.Close()
	show.say("etcd at %s, a process of its own, ready after %v", s.etcd.Endpoint(), time.Since(begin).Round(10*time.Millisecond))
	endpoints := []string{s.etcd.Endpoint()}
	if s.store, err = openStore(endpoints); err != nil {
		return false, nil, err
	}
	defer s.store.Close()

	s.fleet = &fleet{dir: dir, etcd: s.etcd.Endpoint(), sabotage: p.sabotage}
	defer s.fleet.close()
	for range 3 {
		for _, protocol := range []discovery.Protocol{discovery.HTTP, discovery.GRPC} {
			if _, err := s.fleet.start(protocol); err != nil {
				return false, nil, err
			}
		}
	}

	registry, err := etcd.New(etcd.Config{Client: clientv3.Config{Endpoints: endpoints}})
	if err != nil {
		return false, nil, err
	}
	defer registry.Close(context.Background())
	var source discovery.Registry = registry
	if p.sabotage == "watch" {
		source = frozen{registry, 3}
	}
	if s.mesh, err = transport.New(source, clientOptions(p.sabotage)...); err != nil {
		return false, nil, err
	}
	defer s.mesh.Close(context.Background())
	doors, closer, err := newDoors(s.mesh)
	if err != nil {
		return false, nil, err
	}
	defer closer.Close()
	s.doors = doors
	if err := s.complete(ctx, 3); err != nil {
		return false, nil, err
	}
	show.say("services %s and %s: 3 instances each, each a process of its own, %v after the start", httpService, grpcService, time.Since(begin).Round(10*time.Millisecond))

	loadCtx, stopLoad := context.WithCancel(ctx)
	var load sync.WaitGroup
	defer load.Wait()
	defer stopLoad()
	for _, d := range doors {
		load.Go(func() { d.run(loadCtx) })
	}
	load.Go(func() { show.follow(loadCtx, s) })

	ok = true
	for _, step := range script {
		if !p.plays(step.name) {
			continue
		}
		show.say("%s", step.title)
		rows, err := step.play(ctx, s)
		if err != nil {
			return false, verdicts, fmt.Errorf("step %s: %w", step.name, err)
		}
		for _, v := range rows {
			v.Name = step.name
			verdicts = append(verdicts, v)
			ok = ok && v.OK
			show.verdict(v)
		}
	}
	show.say("done after %v", time.Since(begin).Round(time.Second))
	if p.hold {
		show.say("holding; interrupt to stop. The registry: ETCDCTL_API=3 etcdctl --endpoints %s get --prefix fairlead/v1/", s.etcd.Endpoint())
		<-ctx.Done()
	}
	return ok, verdicts, nil
}

// script is what happens to the fleet, in order.
var script = []struct {
	name, title string
	play        func(context.Context, *stage) ([]verdict, error)
}{
	{"steady", "STEADY: every call answered", playSteady},
	{"kill", "KILL: one instance of each service dies by SIGKILL with calls in flight", playKill},
	{"add", "ADD: one instance of each service joins", playAdd},
	{"slow", "SLOW: one instance of each service becomes ten times slower", playSlow},
	{"etcd", "ETCD: the registry dies by SIGKILL and comes back after ten seconds", playEtcd},
	{"revoke", "REVOKE: somebody revokes the lease of one instance of each service", playRevoke},
	{"drain", "DRAIN: one instance of each service is told to end by SIGTERM", playDrain},
}

func playSteady(ctx context.Context, s *stage) ([]verdict, error) {
	// The first second of a process belongs to its warming up.
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	w := s.watch()
	err := sleep(ctx, 2*time.Second)
	return w.verdicts(nil), err
}

func playKill(ctx context.Context, s *stage) ([]verdict, error) {
	w := s.watch()
	// The calls in flight at the kill are to be among those observed.
	if err := sleep(ctx, 250*time.Millisecond); err != nil {
		return nil, err
	}
	for _, d := range s.doors {
		victim, err := s.busy(ctx, d.service)
		if err != nil {
			return nil, err
		}
		victim.cmd.Process.Kill()
	}
	err := sleep(ctx, 4*time.Second)
	return w.verdicts(nil), err
}

func playAdd(ctx context.Context, s *stage) ([]verdict, error) {
	const within = 10 * time.Second // its load grows slowly, see balancer.SlowStart
	w := s.watch()
	added, at := map[string]*process{}, map[string]time.Time{}
	for _, d := range s.doors {
		p, err := s.fleet.start(d.protocol)
		if err != nil {
			return nil, err
		}
		added[d.service] = p
	}
	for service, p := range added {
		if err := s.until(ctx, "the new instance registers", 10*time.Second, func() bool { return s.lease(ctx, p) != 0 }); err != nil {
			return nil, err
		}
		at[service] = time.Now()
	}
	if err := sleep(ctx, within); err != nil {
		return nil, err
	}
	return w.verdicts(func(d *door) (bool, string) {
		p := added[d.service]
		for _, c := range d.between(w.begin, time.Now()) {
			if c.instance == p.spec.ID {
				return true, fmt.Sprintf("%s took its first call %v after it had registered", p.spec.ID, max(0, c.at.Sub(at[d.service])).Round(time.Millisecond))
			}
		}
		return false, fmt.Sprintf("%s took no call within %v", p.spec.ID, within)
	}), nil
}

func playSlow(ctx context.Context, s *stage) ([]verdict, error) {
	w := s.watch()
	slowed := map[string]*process{}
	for _, d := range s.doors {
		p := s.serving(d.service)[0]
		p.slow(10)
		slowed[d.service] = p
	}
	if err := sleep(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	before := map[string]int64{}
	all := map[string]int64{}
	for service, p := range slowed {
		before[service], all[service] = p.executions(), s.fleet.executions(service)
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	rows := w.verdicts(func(d *door) (bool, string) {
		p := slowed[d.service]
		did := p.executions() - before[d.service]
		share := float64(did) / float64(max(1, s.fleet.executions(d.service)-all[d.service]))
		fair := 1 / float64(len(s.serving(d.service)))
		return share < fair/3, fmt.Sprintf("%s has %.1f %% of the calls 3 to 5 s later, a fair share is %.1f %%", p.spec.ID, 100*share, 100*fair)
	})
	for _, p := range slowed {
		p.slow(1)
	}
	return rows, nil
}

func playEtcd(ctx context.Context, s *stage) ([]verdict, error) {
	w := s.watch()
	s.etcd.Kill()
	if err := sleep(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	noticed := s.dump(httpService).State == discovery.Stale && s.dump(grpcService).State == discovery.Stale
	kept := len(s.dump(httpService).Instances)
	if err := s.etcd.Restart(ctx); err != nil {
		return nil, err
	}
	begin := time.Now()
	err := s.until(ctx, "all lists are live and complete again", 15*time.Second, func() bool {
		for _, d := range s.doors {
			if s.dump(d.service).State != discovery.Live || !s.registered(ctx, s.serving(d.service)) {
				return false
			}
		}
		return true
	})
	healed := err == nil
	took := time.Since(begin).Round(10 * time.Millisecond)
	return w.verdicts(func(*door) (bool, string) {
		switch {
		case !noticed:
			return false, "the outage did not show in the state of the lists"
		case !healed:
			return false, err.Error()
		}
		return true, fmt.Sprintf("served from memory with %d instances, list shown as stale; live and complete %v after the restart", kept, took)
	}), ctx.Err()
}

func playRevoke(ctx context.Context, s *stage) ([]verdict, error) {
	w := s.watch()
	revoked := map[string]*process{}
	old := map[string]clientv3.LeaseID{}
	for _, d := range s.doors {
		p := s.serving(d.service)[0]
		id := s.lease(ctx, p)
		if id == 0 {
			return nil, fmt.Errorf("%s has no lease to revoke", p.spec.ID)
		}
		if _, err := s.store.Revoke(ctx, id); err != nil {
			return nil, err
		}
		revoked[d.service], old[d.service] = p, id
	}
	begin := time.Now()
	return w.verdicts(func(d *door) (bool, string) {
		p := revoked[d.service]
		err := s.until(ctx, p.spec.ID+" is registered again and listed", time.Until(begin.Add(8*time.Second)), func() bool {
			id := s.lease(ctx, p)
			return id != 0 && id != old[d.service] && s.lists(d.service, p)
		})
		if err != nil {
			return false, err.Error()
		}
		return true, fmt.Sprintf("%s is registered under a new lease and listed %v later", p.spec.ID, time.Since(begin).Round(10*time.Millisecond))
	}), ctx.Err()
}

func playDrain(ctx context.Context, s *stage) ([]verdict, error) {
	// The instance that was killed must have expired: attempts that it would
	// refuse are not the drained one's doing.
	if err := s.until(ctx, "the dead instances expire", 20*time.Second, func() bool {
		return len(s.dump(httpService).Instances) <= len(s.serving(httpService)) && len(s.dump(grpcService).Instances) <= len(s.serving(grpcService))
	}); err != nil {
		s.show.say("%v", err) // a frozen list never loses them
	}
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	w := s.watch()
	drained := map[string]*process{}
	for _, d := range s.doors {
		p, err := s.busy(ctx, d.service) // with calls to finish
		if err != nil {
			return nil, err
		}
		p.cmd.Process.Signal(syscall.SIGTERM)
		drained[d.service] = p
	}
	for _, p := range drained {
		select {
		case <-p.ended:
		case <-time.After(20 * time.Second):
			return nil, fmt.Errorf("%s does not end", p.spec.ID)
		}
	}
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	return w.verdicts(func(d *door) (bool, string) {
		p := drained[d.service]
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return false, fmt.Sprintf("%s ended with exit code %d", p.spec.ID, code)
		}
		if again := s.dump(d.service).Retries - w.retries[d.service]; again > 0 {
			return false, fmt.Sprintf("%s took %d attempts with it that had to be made again", p.spec.ID, again)
		}
		return true, p.spec.ID + " ended and no attempt had to be made again"
	}), nil
}

// until polls for a condition of the world outside this process.
func (s *stage) until(ctx context.Context, what string, most time.Duration, is func() bool) error {
	deadline := time.Now().Add(most)
	for !is() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain: %s", most.Round(time.Second), what)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}
