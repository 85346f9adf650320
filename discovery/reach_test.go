package discovery_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestReachValidateNetworks(t *testing.T) {
	for _, row := range []struct {
		network netip.Prefix
		ok      bool
	}{
		{netip.MustParsePrefix("10.0.0.0/8"), true},
		{netip.MustParsePrefix("2001:db8::/32"), true},
		{netip.MustParsePrefix("0.0.0.0/0"), true},
		{netip.MustParsePrefix("10.1.2.3/32"), true},

		{netip.Prefix{}, false},
		{netip.MustParsePrefix("10.1.2.3/8"), false},
		{netip.MustParsePrefix("::ffff:10.0.0.0/104"), false},
	} {
		field := "Reach.Networks[1]"
		if row.ok {
			field = ""
		}
		r := discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), row.network}}
		wantFieldError(t, r.Validate(), field, row.network.String())
	}
}

func TestReachValidate(t *testing.T) {
	for dir, ok := range map[string]bool{
		"":              true,
		"/":             true,
		"/run/fairlead": true,

		"run/fairlead":   false,
		"/run/fairlead/": false,
		"/run/../etc":    false,
		".":              false,
	} {
		field := "Reach.UnixDir"
		if ok {
			field = ""
		}
		wantFieldError(t, discovery.Reach{UnixDir: dir}.Validate(), field, dir)
	}
}

func TestReachEndpointsUnix(t *testing.T) {
	here := discovery.BootID()
	if here == "" {
		t.Skip("no boot id on this system: unix endpoints are never allowed")
	}
	const (
		tcp  = "10.0.0.7:9090"
		sock = "unix:/run/fairlead/orders.sock"
	)
	grpc := func(addrs ...string) []discovery.Endpoint {
		var endpoints []discovery.Endpoint
		for _, addr := range addrs {
			endpoints = append(endpoints, discovery.Endpoint{Protocol: discovery.GRPC, Addr: addr})
		}
		return endpoints
	}
	for _, row := range []struct {
		name      string
		unixDir   string
		bootID    string
		endpoints []discovery.Endpoint
		want      string // "": not reachable
		ignored   int
	}{
		{"no endpoints: Addr speaks anything", "/run/fairlead", here, nil, "10.0.0.7:1", 0},
		{"the one of the protocol", "", here, []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}, {Protocol: discovery.GRPC, Addr: tcp}}, tcp, 0},
		{"none of the protocol, though there is an Addr", "", here, []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}}, "", 0},
		{"the first of two", "", here, grpc(tcp, "10.0.0.8:9090"), tcp, 0},

		{"unix comes first, wherever it stands", "/run/fairlead", here, grpc(tcp, sock), sock, 0},
		{"unix alone", "/run/fairlead", here, grpc(sock), sock, 0},
		{"unix deeper below the directory", "/run", here, grpc(tcp, sock), sock, 0},
		{"unix below the root", "/", here, grpc(tcp, sock), sock, 0},
		{"the allowed one of two unix endpoints", "/run/fairlead", here, grpc("unix:/run/other/orders.sock", tcp, sock), sock, 1},
		{"unix of another protocol", "/run/fairlead", here, []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: sock}, {Protocol: discovery.GRPC, Addr: tcp}}, tcp, 0},

		{"unix without an allowed directory", "", here, grpc(sock, tcp), tcp, 1},
		{"unix of another boot", "/run/fairlead", "0d7d7e8c-0001-4e22-a4d1-6f0b6bb1d3d8", grpc(sock, tcp), tcp, 1},
		{"unix without a boot", "/run/fairlead", "", grpc(sock, tcp), tcp, 1},
		{"unix alone and not allowed", "", here, grpc(sock, sock), "", 2},
		{"unix in another directory", "/run/fairlead", here, grpc("unix:/run/orders.sock", tcp), tcp, 1},
		{"unix in a directory of longer name", "/run/fairlead", here, grpc("unix:/run/fairlead-evil/orders.sock", tcp), tcp, 1},
		{"unix that is the directory itself", "/run/fairlead", here, grpc("unix:/run/fairlead", tcp), tcp, 1},
		{"unix that climbs out", "/run/fairlead", here, grpc("unix:/run/fairlead/../../etc/orders.sock", tcp), tcp, 1},
		{"unix that climbs out and back", "/run/fairlead", here, grpc("unix:/run/fairlead/../fairlead/orders.sock", tcp), tcp, 1},
		{"unix with a doubled slash", "/run/fairlead", here, grpc("unix:/run/fairlead//orders.sock", tcp), tcp, 1},
		{"unix with a relative path", "/run/fairlead", here, grpc("unix:run/fairlead/orders.sock", tcp), tcp, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := discovery.Instance{Addr: "10.0.0.7:1", BootID: row.bootID, Endpoints: row.endpoints}
			usable, passed := discovery.Reach{UnixDir: row.unixDir}.Endpoints(&i)
			var at []string
			for _, e := range usable {
				if e.Protocol == discovery.GRPC || e.Protocol == "" {
					at = append(at, e.Addr)
				}
			}
			if addr := strings.Join(at, " and "); addr != row.want || passed.Ignored != row.ignored || len(passed.Forbidden) != 0 {
				t.Errorf("gRPC at %q, passed over %+v; want %q, %d ignored", addr, passed, row.want, row.ignored)
			}
		})
	}
}

// What is usable may be the instance's own list: where all of it is, nothing is
// allocated, and where it is not, nothing is written to it.
func TestReachEndpointsAndTheListOfTheInstance(t *testing.T) {
	tcp := discovery.Endpoint{Protocol: discovery.HTTP, Addr: "10.0.0.7:80"}
	grpc := discovery.Endpoint{Protocol: discovery.GRPC, Addr: "10.0.0.7:90"}
	whole := discovery.Instance{Endpoints: []discovery.Endpoint{tcp, grpc}}
	if n := testing.AllocsPerRun(100, func() { discovery.Reach{}.Endpoints(&whole) }); n != 0 {
		t.Errorf("%v allocations for a list that is used as it is", n)
	}
	socket := discovery.Endpoint{Protocol: discovery.HTTP, Addr: "unix:/run/a.sock"}
	bad := discovery.Endpoint{Protocol: discovery.GRPC, Addr: "127.0.0.1:1"}
	for _, row := range []struct {
		name         string
		list, usable []discovery.Endpoint
	}{
		{"one of the middle is forbidden", []discovery.Endpoint{tcp, bad, grpc}, []discovery.Endpoint{tcp, grpc}},
		{"the first is forbidden", []discovery.Endpoint{bad, tcp, grpc}, []discovery.Endpoint{tcp, grpc}},
		{"a socket comes first", []discovery.Endpoint{tcp, socket, grpc}, []discovery.Endpoint{socket, grpc}},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := discovery.Instance{BootID: discovery.BootID(), Endpoints: slices.Clone(row.list)}
			if i.BootID == "" && slices.Contains(row.list, socket) {
				t.Skip("no boot id on this system: unix endpoints are never allowed")
			}
			usable, _ := discovery.Reach{UnixDir: "/run"}.Endpoints(&i)
			if !slices.Equal(usable, row.usable) {
				t.Errorf("usable %v, want %v", usable, row.usable)
			}
			if !slices.Equal(i.Endpoints, row.list) {
				t.Errorf("the instance's list became %v", i.Endpoints)
			}
		})
	}
}
