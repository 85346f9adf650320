package dnstest_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/dnstest"
)

func TestHostHasAddressesOfBothKinds(t *testing.T) {
	s := dnstest.New(t)
	s.SetHost("a.test.", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
	for network, want := range map[string]string{"ip4": "192.0.2.1", "ip6": "2001:db8::1"} {
		addrs, err := s.Resolver().LookupNetIP(t.Context(), network, "A.test.")
		if err != nil || len(addrs) != 1 || addrs[0].Unmap().String() != want {
			t.Errorf("%s: %v, error %v; want %s", network, addrs, err, want)
		}
	}
}

func TestManyRecordsComeOverTCP(t *testing.T) {
	s := dnstest.New(t)
	var records []net.SRV
	for n := range 100 {
		records = append(records, net.SRV{Target: fmt.Sprintf("host-%d.test.", n), Port: 80})
	}
	s.SetSRV("many.test.", records...)
	_, got, err := s.Resolver().LookupSRV(t.Context(), "", "", "many.test.")
	if err != nil || len(got) != len(records) {
		t.Errorf("%d records, error %v; want %d", len(got), err, len(records))
	}
}

func TestNoSuchNameIsNoFailure(t *testing.T) {
	s := dnstest.New(t)
	notFound := func() bool {
		_, err := s.Resolver().LookupNetIP(t.Context(), "ip4", "nobody.test.")
		e, ok := errors.AsType[*net.DNSError](err)
		if !ok {
			t.Fatalf("error %v, want a DNSError", err)
		}
		return e.IsNotFound
	}
	if !notFound() {
		t.Error("a name without records exists")
	}
	s.Fail()
	if notFound() {
		t.Error("a server that fails knows that a name does not exist")
	}
	s.Heal()
	if !notFound() {
		t.Error("it goes on to fail")
	}
}
