package discovery_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// scriptedDNS is a resolver that knows what it is told.
type scriptedDNS struct {
	mu      sync.Mutex
	srv     map[string][]net.SRV
	hosts   map[string][]netip.Addr
	err     error      // of all lookups
	bad     error      // of SRV lookups, beside the records
	four    error      // of lookups of IPv4 addresses
	hang    bool       // until the context ends
	lookups []lookupOf // in order
}

type lookupOf struct {
	at   time.Time
	name string // "srv orders", "ip4 orders"
}

func (d *scriptedDNS) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *scriptedDNS) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if err := d.asked(ctx, "srv "+name); err != nil {
		return "", nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var records []*net.SRV
	for _, r := range d.srv[name] {
		records = append(records, &r)
	}
	if len(records) == 0 && d.bad == nil {
		return "", nil, noSuchHost(name)
	}
	return name, records, d.bad
}

func (d *scriptedDNS) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := d.asked(ctx, network+" "+host); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if network == "ip4" && d.four != nil {
		return nil, d.four
	}
	var addrs []netip.Addr
	for _, a := range d.hosts[host] {
		if a.Unmap().Is4() == (network == "ip4") {
			addrs = append(addrs, a)
		}
	}
	switch {
	case len(d.hosts[host]) == 0:
		return nil, noSuchHost(host)
	case len(addrs) == 0: // as net says it of a name in /etc/hosts
		return nil, &net.AddrError{Err: "no suitable address", Addr: host}
	}
	return addrs, nil
}

func (d *scriptedDNS) asked(ctx context.Context, name string) error {
	d.mu.Lock()
	d.lookups = append(d.lookups, lookupOf{time.Now(), name})
	err, hang := d.err, d.hang
	d.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// asks returns the lookups since the last call.
func (d *scriptedDNS) asks() []lookupOf {
	d.mu.Lock()
	defer d.mu.Unlock()
	asks := d.lookups
	d.lookups = nil
	return asks
}

func noSuchHost(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

var errServFail = &net.DNSError{Err: "server misbehaving", Name: "orders", IsTemporary: true}

func addrs(literal ...string) []netip.Addr {
	var all []netip.Addr
	for _, a := range literal {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

// dnsOver returns a registry over d. It belongs to a synctest bubble, which
// ends only when all that it began has ended.
func dnsOver(t *testing.T, d *scriptedDNS, c discovery.DNSConfig) *discovery.DNS {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	r, err := discovery.NewDNSOver(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func weights(s discovery.Snapshot) string {
	var all []string
	for _, i := range s.Instances {
		all = append(all, fmt.Sprintf("%s=%d", i.ID, i.Weight))
	}
	return strings.Join(all, " ")
}

func TestDNSReadsRecords(t *testing.T) {
	for _, row := range []struct {
		name    string
		config  discovery.DNSConfig
		dns     *scriptedDNS
		want    string // IDs and weights
		refused int
	}{
		{
			name: "NoRecords",
		},
		{
			name: "RecordOfOneHost",
			dns:  &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 5}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
			want: "10.0.0.1:80=5",
		},
		{
			name: "HostWithSeveralAddresses",
			dns:  &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 5}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.2", "2001:db8::1", "10.0.0.1")}},
			want: "10.0.0.1:80=5 10.0.0.2:80=5 2001:db8::1:80=5",
		},
		{
			name: "OneHostWithTwoPorts",
			dns:  &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 5}, {Target: "a", Port: 81, Weight: 6}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
			want: "10.0.0.1:80=5 10.0.0.1:81=6",
		},
		{
			name: "LowestPriorityAlone",
			dns: &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "c", Port: 80, Priority: 20}, {Target: "b", Port: 80, Priority: 10}, {Target: "a", Port: 80, Priority: 10}}},
				hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1"), "b": addrs("10.0.0.2"), "c": addrs("10.0.0.3")}},
			want: "10.0.0.1:80=1 10.0.0.2:80=1",
		},
		{
			name: "LowestPriorityAloneThoughItIsEmpty",
			dns:  &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "."}, {Target: "a", Port: 80, Priority: 1}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
		},
		{
			name: "DecidedlyNotAvailable",
			dns:  &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "."}}}},
		},
		{
			name: "WeightZeroIsSmallest",
			dns: &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80}, {Target: "b", Port: 80, Weight: 10_000}}},
				hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1"), "b": addrs("10.0.0.2")}},
			want: "10.0.0.1:80=1 10.0.0.2:80=10000",
		},
		{
			name: "LargeWeightsKeepTheirRatio",
			dns: &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 20_000}, {Target: "b", Port: 80, Weight: 40_000}, {Target: "c", Port: 80, Weight: 1}}},
				hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1"), "b": addrs("10.0.0.2"), "c": addrs("10.0.0.3")}},
			want: "10.0.0.1:80=5000 10.0.0.2:80=10000 10.0.0.3:80=1",
		},
		{
			name: "HeaviestOfOneAddress",
			dns: &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 7}, {Target: "b", Port: 80, Weight: 9}, {Target: "c", Port: 80, Weight: 8}}},
				hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1"), "b": addrs("10.0.0.1"), "c": addrs("10.0.0.1")}},
			want: "10.0.0.1:80=9",
		},
		{
			name:    "HostWithoutAddresses",
			dns:     &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80}, {Target: "gone", Port: 80}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
			want:    "10.0.0.1:80=1",
			refused: 1,
		},
		{
			name:    "PortZero",
			dns:     &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a"}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
			refused: 1,
		},
		{
			name: "RecordWhoseHostIsNoName",
			dns: &scriptedDNS{bad: &net.DNSError{Err: "DNS response contained records which contain invalid names", Name: "orders"},
				srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80}}}, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1")}},
			want:    "10.0.0.1:80=1",
			refused: 1,
		},
		{
			name:   "AddressesWithPort",
			config: discovery.DNSConfig{Port: 8080},
			dns:    &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.2", "10.0.0.1", "2001:db8::1")}},
			want:   "10.0.0.1:8080=100 10.0.0.2:8080=100 2001:db8::1:8080=100",
		},
		{
			name:   "AddressesOfOneKind",
			config: discovery.DNSConfig{Port: 8080, Network: "ip6"},
			dns:    &scriptedDNS{four: errServFail, hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1", "2001:db8::1")}},
			want:   "2001:db8::1:8080=100",
		},
		{
			name:   "AddressInTheFormOfIPv6",
			config: discovery.DNSConfig{Port: 8080},
			dns:    &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("::ffff:10.0.0.1")}},
			want:   "10.0.0.1:8080=100",
		},
		{
			name:   "NoAddresses",
			config: discovery.DNSConfig{Port: 8080},
		},
		{
			name:    "AddressesThatCannotBeDialled",
			config:  discovery.DNSConfig{Port: 8080},
			dns:     &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("0.0.0.0", "10.0.0.1", "224.0.0.1", "fe80::1%eth0")}},
			want:    "10.0.0.1:8080=100",
			refused: 3,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dns := cmp.Or(row.dns, new(scriptedDNS))
				s, err := latest(t, dnsOver(t, dns, row.config), "orders")
				if err != nil || s.State != discovery.Live || weights(s) != row.want {
					t.Errorf("%s %s, error %v; want %s", s.State, weights(s), err, row.want)
				}
				if s.Refused != row.refused || len(s.Refusals) != row.refused {
					t.Errorf("refused %d: %v, want %d", s.Refused, s.Refusals, row.refused)
				}
			})
		})
	}
}

// The same address is the same instance in every process and in a static list.
func TestDNSIdentifiesAsAddrsDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1", "2001:db8::1")}}
		s, _ := latest(t, dnsOver(t, d, discovery.DNSConfig{Port: 8080}), "orders")
		for n, i := range discovery.Addrs("orders", "10.0.0.1:8080", "[2001:db8::1]:8080") {
			if got := s.Instances[n]; got.ID != i.ID || got.Addr != i.Addr || got.Service != "orders" {
				t.Errorf("instance %+v, want %+v", got, i)
			}
		}
	})
}

func TestDNSMakesTheName(t *testing.T) {
	for _, row := range []struct{ name, pattern, service, want string }{
		{"Service", "", "orders", "srv orders"},
		{"Kubernetes", "_http._tcp.{service}.prod.svc.cluster.local.", "orders", "srv _http._tcp.orders.prod.svc.cluster.local."},
		{"RFC2782", "_{service}._tcp.example.com.", "orders", "srv _orders._tcp.example.com."},
		{"ServiceWithDots", "{service}.service.consul", "orders.eu", "srv orders.eu.service.consul"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scriptedDNS{}
				latest(t, dnsOver(t, d, discovery.DNSConfig{Name: row.pattern}), row.service)
				if asks := d.asks(); len(asks) != 1 || asks[0].name != row.want {
					t.Errorf("asked for %v, want %q once", asks, row.want)
				}
			})
		})
	}
}

func TestDNSRefusesServicesTooLongForTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{}
		r := dnsOver(t, d, discovery.DNSConfig{Name: "x-{service}.test"})
		for s, err := range r.Watch(t.Context(), strings.Repeat("a", 63)) {
			if _, ok := errors.AsType[*discovery.FieldError](err); !ok || s.State != discovery.Cold {
				t.Errorf("%s, error %v; want Cold and a FieldError", s.State, err)
			}
		} // and it ends
		if asks := d.asks(); len(asks) != 0 {
			t.Errorf("asked for %v", asks)
		}
	})
}

func TestDNSConfigValidate(t *testing.T) {
	for _, row := range []struct {
		name   string
		config discovery.DNSConfig
		field  string // of the error; "": none
	}{
		{"Zero", discovery.DNSConfig{}, ""},
		{"Everything", discovery.DNSConfig{Name: "_x._tcp.{service}.example.com.", Port: 80, Network: "ip4", Resolver: net.DefaultResolver, Interval: time.Second, Logger: slog.Default()}, ""},
		{"NameWithoutService", discovery.DNSConfig{Name: "example.com"}, "DNSConfig.Name"},
		{"NameWithServiceTwice", discovery.DNSConfig{Name: "{service}.{service}"}, "DNSConfig.Name"},
		{"NameWithEmptyLabel", discovery.DNSConfig{Name: "{service}..com"}, "DNSConfig.Name"},
		{"NameWithLeadingDot", discovery.DNSConfig{Name: ".{service}"}, "DNSConfig.Name"},
		{"NameInUpperCase", discovery.DNSConfig{Name: "{service}.COM"}, "DNSConfig.Name"},
		{"NameTooLong", discovery.DNSConfig{Name: "{service}" + strings.Repeat(".abcdefgh", 29)}, "DNSConfig.Name"},
		{"UnknownNetwork", discovery.DNSConfig{Network: "tcp"}, "DNSConfig.Network"},
		{"NegativeInterval", discovery.DNSConfig{Interval: -1}, "DNSConfig.Interval"},
		{"IntervalTooShort", discovery.DNSConfig{Interval: 10*time.Millisecond - 1}, "DNSConfig.Interval"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := row.config.Open()
			bad, _ := errors.AsType[*discovery.FieldError](err)
			if row.field == "" && err != nil || row.field != "" && (bad == nil || bad.Field != row.field || r != nil) {
				t.Errorf("Open() = %v, %v; want an error of the field %q", r, err, row.field)
			}
		})
	}
}

func TestDNSAsksAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1")}}
		r := dnsOver(t, d, discovery.DNSConfig{Port: 80, Network: "ip4"})
		time.Sleep(time.Hour)
		if asks := d.asks(); len(asks) != 0 {
			t.Fatalf("asked %d times before anybody watched", len(asks))
		}
		ctx, cancel := context.WithCancel(t.Context())
		j, other := follow(ctx, r, "orders"), follow(ctx, r, "orders")
		time.Sleep(time.Hour)
		asks := d.asks()
		if len(asks) < 120 || len(asks) > 151 {
			t.Errorf("asked %d times in an hour, want once in 24 to 30 s for both watches", len(asks))
		}
		same := 0
		for n := 1; n < len(asks); n++ {
			pause := asks[n].at.Sub(asks[n-1].at)
			if pause < 24*time.Second || pause > 30*time.Second {
				t.Errorf("asked again after %s, want 24 to 30 s", pause)
			}
			if n > 1 && pause == asks[n-1].at.Sub(asks[n-2].at) {
				same++
			}
		}
		if same > len(asks)/2 {
			t.Errorf("%d of %d pauses are like the one before; want them spread", same, len(asks))
		}
		for _, j := range []*journal{j, other} { // an unchanged list is no news
			j.one(t).want(t, discovery.Live, nil, "10.0.0.1:80")
		}
		cancel()
		synctest.Wait()
		d.asks()
		time.Sleep(time.Hour)
		if asks := d.asks(); len(asks) != 0 {
			t.Errorf("asked %d times after everybody had left", len(asks))
		}
	})
}

func TestDNSChangeKeepsPointersOfTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{srv: map[string][]net.SRV{"orders": {{Target: "a", Port: 80, Weight: 1}, {Target: "b", Port: 80, Weight: 1}}},
			hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1"), "b": addrs("10.0.0.2"), "c": addrs("10.0.0.0")}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		j := follow(ctx, dnsOver(t, d, discovery.DNSConfig{}), "orders")
		before := j.one(t)
		before.want(t, discovery.Live, nil, "10.0.0.1:80", "10.0.0.2:80")
		d.set(func() {
			d.srv["orders"] = []net.SRV{{Target: "c", Port: 80, Weight: 1}, {Target: "b", Port: 80, Weight: 2}, {Target: "a", Port: 80, Weight: 1}}
		})
		time.Sleep(30 * time.Second)
		after := j.one(t)
		after.want(t, discovery.Live, nil, "10.0.0.0:80", "10.0.0.1:80", "10.0.0.2:80")
		if after.Instances[1] != before.Instances[0] {
			t.Error("an instance that has not changed has another pointer")
		}
		if after.Instances[2] == before.Instances[1] || before.Instances[1].Weight != 1 || after.Instances[2].Weight != 2 {
			t.Errorf("the instance whose weight changed was %+v and is %+v", before.Instances[1], after.Instances[2])
		}
		if after.Revision <= before.Revision {
			t.Errorf("revision %d after %d, want it to grow", after.Revision, before.Revision)
		}
	})
}

// While DNS fails the last good list stays; the failure is told once.
func TestDNSFailureKeepsTheList(t *testing.T) {
	for _, row := range []struct {
		name  string
		fail  func(*scriptedDNS)
		wants string // in the error
	}{
		{"ServerFailure", func(d *scriptedDNS) { d.err = errServFail }, "server misbehaving"},
		{"Silence", func(d *scriptedDNS) { d.hang = true }, "deadline"},
		{"OneKindOfAddressesFails", func(d *scriptedDNS) { d.four = errServFail }, "server misbehaving"},
		{"RecordsUnreadable", func(d *scriptedDNS) { d.srv, d.bad = nil, errServFail }, "server misbehaving"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				records := map[string][]net.SRV{"orders": {{Target: "a", Port: 80}}}
				d := &scriptedDNS{srv: records, hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1", "2001:db8::1")}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := dnsOver(t, d, discovery.DNSConfig{})
				j := follow(ctx, r, "orders")
				good := j.one(t)
				good.want(t, discovery.Live, nil, "10.0.0.1:80", "2001:db8::1:80")
				for range 3 { // so that the list is known to be younger
					time.Sleep(30 * time.Second)
				}
				synctest.Wait()
				d.asks()
				began := time.Now()

				d.set(func() { row.fail(d) })
				time.Sleep(10 * time.Minute)
				stale := j.one(t)
				if stale.State != discovery.Stale || !slices.Equal(stale.Instances, good.Instances) || stale.err == nil {
					t.Fatalf("%s %q, error %v; want the list of before, Stale, with an error", stale.State, stale.ids(), stale.err)
				}
				if !strings.Contains(stale.err.Error(), row.wants) || !strings.Contains(stale.err.Error(), "orders") {
					t.Errorf("error %q, want the service and %q in it", stale.err, row.wants)
				}
				if age := began.Sub(stale.AsOf); age < 0 || age > 30*time.Second {
					t.Errorf("as of %s before DNS failed, want the last answer, at most 30 s before", age)
				}
				if asks := d.asks(); len(asks) > 100 {
					t.Errorf("asked %d times in ten minutes of failure", len(asks))
				}

				d.set(func() { d.srv, d.err, d.bad, d.four, d.hang = records, nil, nil, nil, false })
				time.Sleep(time.Minute)
				live := j.one(t)
				live.want(t, discovery.Live, nil, good.ids()...)
				if live.Revision != good.Revision || !slices.Equal(live.Instances, good.Instances) {
					t.Error("the list that is live again is not the one of before")
				}
			})
		})
	}
}

func TestDNSColdUntilTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{err: errServFail, hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1")}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		j := follow(ctx, dnsOver(t, d, discovery.DNSConfig{Port: 80}), "orders")
		j.one(t).want(t, discovery.Cold, errServFail)
		d.set(func() { d.err = nil })
		time.Sleep(time.Second) // it is asked again sooner than at the interval
		j.one(t).want(t, discovery.Live, nil, "10.0.0.1:80")
	})
}

func TestDNSPausesDoubleWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{err: errServFail}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		follow(ctx, dnsOver(t, d, discovery.DNSConfig{}), "orders")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		asks := d.asks()
		for n, most := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			most *= time.Second
			if pause := asks[n+1].at.Sub(asks[n].at); pause > most || pause < most*4/5 {
				t.Errorf("pause %d lasts %s, want %s to %s", n, pause, most*4/5, most)
			}
		}
	})
}

func TestDNSLookupHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hang: true}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		j := follow(ctx, dnsOver(t, d, discovery.DNSConfig{}), "orders")
		if yields, _ := j.take(); len(yields) != 0 {
			t.Fatalf("yields %v before there was an answer", yields)
		}
		time.Sleep(5 * time.Second)
		j.one(t).want(t, discovery.Cold, context.DeadlineExceeded)
	})
}

// One host of a hundred that fails must not take its time a hundred times.
func TestDNSGivesUpAfterTheFirstHostThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records []net.SRV
		for n := range 100 {
			records = append(records, net.SRV{Target: fmt.Sprintf("h%02d", n), Port: 80})
		}
		d := &scriptedDNS{srv: map[string][]net.SRV{"orders": records}}
		hanging := hangingHosts{d}
		r, err := discovery.NewDNSOver(discovery.DNSConfig{}, hanging)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s, err := latest(t, r, "orders")
		if s.State != discovery.Cold || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 6*time.Second {
			t.Errorf("%s, error %v after %s; want Cold after one deadline", s.State, err, time.Since(began))
		}
	})
}

// hangingHosts answers for records and for nothing else.
type hangingHosts struct{ *scriptedDNS }

func (hangingHosts) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDNSRefreshAsksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1")}}
		r := dnsOver(t, d, discovery.DNSConfig{Port: 80})
		if err := r.Refresh(t.Context(), "orders"); err != nil || len(d.asks()) > 0 {
			t.Errorf("Refresh of what nobody watches: %v; want nothing to happen", err)
		}
		j := follow(t.Context(), r, "orders")
		j.one(t).want(t, discovery.Live, nil, "10.0.0.1:80")
		began := time.Now()

		d.set(func() { d.hosts["orders"] = addrs("10.0.0.2") })
		if err := r.Refresh(t.Context(), "orders"); err != nil {
			t.Errorf("Refresh: %v", err)
		}
		fresh, _ := latest(t, r, "orders")
		entry{fresh, nil}.want(t, discovery.Live, nil, "10.0.0.2:80")
		j.one(t).want(t, discovery.Live, nil, "10.0.0.2:80")
		if err := r.Refresh(t.Context(), "orders"); err != nil {
			t.Errorf("Refresh of a list that has not changed: %v", err)
		}
		if yields, _ := j.take(); len(yields) > 0 {
			t.Errorf("%v although nothing has changed", yields)
		}

		d.set(func() { d.err = errServFail })
		if err := r.Refresh(t.Context(), "orders"); !errors.Is(err, errServFail) {
			t.Errorf("Refresh while DNS fails: %v", err)
		}
		j.one(t).want(t, discovery.Stale, errServFail, "10.0.0.2:80")
		if took := time.Since(began); took != 0 {
			t.Errorf("all that took %s, want no waiting for the interval", took)
		}

		d.set(func() { d.hang = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Refresh(ctx, "orders"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh while DNS is silent: %v", err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- r.Refresh(t.Context(), "orders") }() // received from below
		synctest.Wait()
		r.Close(t.Context())
		if err := <-waiting; !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Refresh that Close found waiting: %v", err)
		}
		if err := r.Refresh(t.Context(), "orders"); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Refresh after Close: %v", err)
		}
	})
}

func TestDNSCloseEndsWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1")}}
		r := dnsOver(t, d, discovery.DNSConfig{Port: 80})
		j := follow(t.Context(), r, "orders")
		j.one(t).want(t, discovery.Live, nil, "10.0.0.1:80")
		for range 2 {
			if err := r.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		yields, ended := j.take()
		if len(yields) != 1 || !ended {
			t.Fatalf("yields %v, ended %v; want one and the end", yields, ended)
		}
		yields[0].want(t, discovery.Stale, discovery.ErrClosed, "10.0.0.1:80")
		d.asks()
		late := follow(t.Context(), r, "orders")
		late.one(t).want(t, discovery.Cold, discovery.ErrClosed)
		if _, ended := late.take(); !ended {
			t.Error("a watch after Close goes on")
		}
		time.Sleep(time.Hour)
		if asks := d.asks(); len(asks) != 0 {
			t.Errorf("asked for %v after Close", asks)
		}
	})
}

// stubborn does not listen to its context.
type stubborn struct {
	*scriptedDNS
	release chan struct{}
}

func (s stubborn) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	<-s.release
	return "", nil, errServFail
}

func TestDNSCloseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolver := stubborn{new(scriptedDNS), make(chan struct{})}
		r, err := discovery.NewDNSOver(discovery.DNSConfig{}, resolver)
		if err != nil {
			t.Fatal(err)
		}
		follow(t.Context(), r, "orders")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close while a lookup hangs: %v", err)
		}
		close(resolver.release)
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close after that: %v", err)
		}
	})
}

// lines counts what is logged.
type lines struct {
	slog.Handler
	mu  sync.Mutex
	all []slog.Record
}

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r)
	return nil
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }

func (l *lines) take() []slog.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// Fifty services lose the same server of names. The log tells each of them
// once, and no two in one second.
func TestDNSLogsChangesOfStateAtMostOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		d := &scriptedDNS{err: errServFail}
		r := dnsOver(t, d, discovery.DNSConfig{Interval: time.Second, Logger: slog.New(log)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const services = 50
		for n := range services {
			follow(ctx, r, fmt.Sprintf("service-%d", n))
		}
		for _, phase := range []struct {
			err   error
			level slog.Level
		}{{errServFail, slog.LevelWarn}, {nil, slog.LevelInfo}} {
			d.set(func() { d.err = phase.err })
			time.Sleep(10 * time.Minute)
			all := log.take()
			if len(all) != services {
				t.Errorf("%d lines in ten minutes, want one for each of %d services", len(all), services)
			}
			for n, r := range all {
				if r.Level != phase.level {
					t.Errorf("%s %s, want %s", r.Level, r.Message, phase.level)
				}
				if n > 0 && r.Time.Sub(all[n-1].Time) < time.Second {
					t.Errorf("two lines within %s", r.Time.Sub(all[n-1].Time))
				}
			}
		}
	})
}

func TestDNSState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scriptedDNS{hosts: map[string][]netip.Addr{"orders": addrs("10.0.0.1", "0.0.0.0")}}
		r := dnsOver(t, d, discovery.DNSConfig{Name: "{service}", Port: 80})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		follow(ctx, r, "orders")
		synctest.Wait()
		wantJSON(t, r.State(), `{"name":"{service}","port":80,"watches":[{"service":"orders","state":"live","revision":1,"asOf":"2000-01-01T00:00:00Z","instances":1,"refused":1,"looks":1,"readers":1}]}`)
		d.set(func() { d.err = errServFail })
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if text := jsonOf(t, r.State()); !strings.Contains(text, `"state":"stale"`) || !strings.Contains(text, `server misbehaving`) {
			t.Errorf("state %s, want it stale and the error", text)
		}
	})
}
