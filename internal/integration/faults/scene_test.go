package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/dnstest"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

const (
	service   = "orders"
	instances = 10
	work      = 20 * time.Millisecond
	posts     = 5 // one call in so many is not idempotent
)

// scene is what a row plays in. Unless the row sets it otherwise, the caller
// has a way of its own to etcd, and the instances have another.
type scene struct {
	*testing.T
	scale    scale
	random   *rand.Rand
	protocol fleet.Protocol // that is spoken
	inTurn   bool           // instances are called in turn, so that each has its share whatever it showed

	etcd       *etcdtest.Server
	store      *clientv3.Client // the test's own look
	callerLink *tcpproxy.Proxy
	fleetLink  *tcpproxy.Proxy
	fleet      *fleet.Fleet
	caller     *caller.Caller

	broken, healing, mended time.Time

	// What rows remember from one of their steps to the next.
	cluster    *etcdtest.Cluster
	dead       int // member of it
	dns        *dnstest.Server
	victim     *fleet.Instance
	victimLink *tcpproxy.Proxy
	standing   int           // connections over it
	dying      time.Duration // how long it took to kill the victim
	ejected    bool
	returned   time.Time // when who was away was seen again
	before     caller.Status
	revision   int64
	leases     map[string]clientv3.LeaseID
	lease      clientv3.LeaseID
	restore    func()
	authority  *etcdtest.CA
	victims    []*fleet.Instance
	aliases    map[string]string // see history.History

	idle        float64 // cores that the caller needs anyway
	connections int64
	asked       int64 // connections of the test's own to instances
	flapper     sync.WaitGroup
	stopped     chan struct{} // ends the flapper
	readers     []*reader
	hops        []*fleet.Fleet // the fleet, and those it calls
	calls       int64
	got         []int64       // by hop
	earlier     map[int64]int // executions

	history *history.History // after the end
	tardy   time.Duration    // of the client, see history.History
	figures []figure
}

// figure is something that was measured.
type figure struct {
	name  string
	value any
}

// usual starts etcd and ten registered instances.
func (s *scene) usual(options ...etcdtest.Option) {
	s.Helper()
	s.base(options...)
	s.fleet.Start(instances)
	s.within(0, "all instances registered", s.allRegistered)
}

// base is usual before there are instances.
func (s *scene) base(options ...etcdtest.Option) {
	s.Helper()
	s.etcd = etcdtest.Start(s, options...)
	s.links()
	s.fleet = fleet.New(s, s.via(s.fleetLink), service, work)
	s.fleet.Protocol = s.protocol
}

// behind is usual with the victim at the other end of a link of its own.
func (s *scene) behind() {
	s.Helper()
	s.base()
	s.fleet.Start(instances - 1)
	s.victimLink = tcpproxy.New(s, "")
	s.victim = s.fleet.StartBehind(s.victimLink)
	s.within(0, "all instances registered", s.allRegistered)
}

func (s *scene) links() {
	s.store = s.etcd.Client(s)
	s.callerLink, s.fleetLink = s.proxy(), s.proxy()
}

// proxy is another way to etcd.
func (s *scene) proxy() *tcpproxy.Proxy { return tcpproxy.New(s, s.etcd.Endpoint()) }

// via is etcd at the other end of a link.
func (s *scene) via(p *tcpproxy.Proxy) fleet.Registry {
	return fleet.Registry{Endpoints: []string{p.Addr()}, TTL: s.scale.ttl}
}

// call starts the caller and waits until it calls everybody.
func (s *scene) call(r fleet.Registry) {
	s.Helper()
	s.begin(r, len(s.fleet.Running()))
}

// begin is call where there are others beside the fleet.
func (s *scene) begin(r fleet.Registry, all int) {
	s.Helper()
	s.start(s.calling(r), all)
}

// start is begin with settings of its own.
func (s *scene) start(settings caller.Settings, all int) {
	s.Helper()
	s.caller = caller.Start(s, settings)
	s.caller.Learn()
	s.caller.Load()
	s.within(0, "a live list of all", s.sees(all))
}

func (s *scene) calling(r fleet.Registry) caller.Settings {
	posts := posts
	if s.inTurn {
		posts = 3 // or some instances would get nothing else
	}
	return caller.Settings{Registry: r, Service: service, Rate: s.scale.rate, Posts: posts, Deadline: s.scale.deadline, Protocol: s.protocol, InTurn: s.inTurn}
}

// sees says whether the caller has a live list of so many instances that serve.
func (s *scene) sees(n int) func() bool {
	return func() bool {
		seen, ok := s.caller.Status().Service()
		return ok && seen.State == "live" && len(serving(seen)) == n
	}
}

func serving(seen fleet.Service) (ids []string) {
	for _, n := range seen.Instances {
		if !n.Draining {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// registered returns the keys of the instances in etcd by ID.
func (s *scene) registered() map[string]clientv3.LeaseID {
	s.Helper()
	prefix := etcd.DefaultPrefix + "instances/" + service + "/"
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	r, err := s.store.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		s.Fatal(err)
	}
	found := map[string]clientv3.LeaseID{}
	for _, kv := range r.Kvs {
		found[strings.TrimPrefix(string(kv.Key), prefix)] = clientv3.LeaseID(kv.Lease)
	}
	return found
}

// wait lets time pass, give or take a fifth by the seed.
func (s *scene) wait(d time.Duration) {
	s.sleep(time.Duration(float64(d) * (0.8 + 0.4*s.random.Float64())))
}

// sleep lets time pass.
func (s *scene) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.Context().Done():
	}
}

// patience is how long to wait for what is promised without a time.
const patience = 60 * time.Second

// within waits for what has to become true in time, with slack, and returns how
// long it took. A promise of 0 is one without a time.
func (s *scene) within(promise time.Duration, what string, is func() bool) time.Duration {
	s.Helper()
	limit := promise * slack
	if promise == 0 {
		limit = patience
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		if is() {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			s.Fatalf("still not after %s: %s; %s", limit, what, s.state())
		}
	}
}

// state is what a failure tells.
func (s *scene) state() string {
	var b strings.Builder
	if s.caller != nil && s.caller.Running() {
		seen, _ := s.caller.Status().Service()
		ids := serving(seen)
		fmt.Fprintf(&b, "the caller has a %s list of %d, %v (%s %s)", seen.State, len(ids), ids[:min(20, len(ids))], seen.Trouble, seen.Rules.Refused)
	}
	return b.String()
}

// figure tells something that was measured.
func (s *scene) figure(name string, value any) {
	if d, ok := value.(time.Duration); ok {
		value = d.Round(10 * time.Microsecond).String()
	}
	s.figures = append(s.figures, figure{name, value})
}

// anyone picks a running instance by the seed.
func (s *scene) anyone() *fleet.Instance {
	all := s.fleet.Running()
	return all[s.random.IntN(len(all))]
}

// stop ends the caller and holds its history to the rules.
func (s *scene) stop() {
	s.Helper()
	if s.caller == nil { // there was no load
		return
	}
	s.history = s.caller.Stop(s.fleet)
	s.history.Tardy = s.tardy
	s.history.Aliases = s.aliases
	for _, v := range s.history.Check() {
		s.Error(v)
	}
}

// noneFailed holds for calls of any method.
func (s *scene) noneFailed() {
	s.Helper()
	s.mayFail("there is none", func(history.Call) bool { return false })
}

// mayFail tells the calls that failed without an excuse.
func (s *scene) mayFail(why string, excused func(history.Call) bool) {
	s.Helper()
	inexcusable := slices.DeleteFunc(s.history.Failed(), excused)
	for i, c := range inexcusable {
		if i == 5 {
			s.Errorf("and %d more", len(inexcusable)-i)
			break
		}
		s.Errorf("call %d failed %s after the fault with no excuse (%s): %s %+v",
			c.ID, (c.End - s.history.Moment(s.broken)).Round(time.Millisecond), why, c.Err, c.Attempts)
	}
}

// neverFewer says that every list that calls were served from, from the fault
// on, had at least n instances.
func (s *scene) neverFewer(n int) {
	s.Helper()
	for _, l := range s.history.Lists {
		if l.At > s.history.Moment(s.broken) && len(l.Instances) < n {
			s.Errorf("%s after the fault the list shrank to %v", (l.At - s.history.Moment(s.broken)).Round(time.Millisecond), l.Instances)
		}
	}
}

// quantile is that of the durations of the calls that started in a
// stretch of time.
func (s *scene) quantile(q float64, from, to time.Time) time.Duration {
	var took []time.Duration
	for _, c := range s.history.Calls {
		if c.Start >= s.history.Moment(from) && c.Start < s.history.Moment(to) {
			took = append(took, c.End-c.Start)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}
