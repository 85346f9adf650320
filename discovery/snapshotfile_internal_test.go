package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// goodFile is that of a service of one instance with all that one can have.
func goodFile(t testing.TB) []byte {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	data, err := encodeSnapshot(Snapshot{Service: "orders", Revision: 7, State: Live, Instances: List(Instance{
		ID: "7f3a", Service: "orders", Addr: "10.0.0.7:9090",
		Endpoints: []Endpoint{{GRPC, "10.0.0.7:9090"}, {HTTP, "unix:/run/orders.sock"}},
		Weight:    7, Region: "eu", Zone: "eu-1", Version: "v2 <&>", Draining: true, BootID: "boot",
		StartedAt: now, Meta: map[string]string{"lane": "blue"},
	})}, now)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A file that was cut short or of which one bit flipped is never taken for
// another list, nor for the same.
func TestAllDamageToASnapshotIsFound(t *testing.T) {
	good := goodFile(t)
	refused := func(what string, file []byte) {
		if s, err := decodeSnapshot("orders", file); !errors.Is(err, ErrInvalid) || s.State != Cold || len(s.Instances) != 0 {
			t.Errorf("%s: got %+v, %v", what, s, err)
		}
	}
	for n := range good {
		refused(fmt.Sprintf("cut to %d bytes", n), good[:n])
		for bit := range 8 {
			flipped := bytes.Clone(good)
			flipped[n] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d flipped", bit, n), flipped)
		}
	}
	if s, err := decodeSnapshot("orders", good); err != nil || len(s.Instances) != 1 {
		t.Errorf("undamaged: got %+v, %v", s, err)
	}
}

// FuzzSnapshotLoad: whatever a file holds, Load does not panic and hands out
// valid instances only, sorted and without duplicates; and what it hands out
// can be saved and is then the same. The document is tried as it is, and with
// a checksum that fits.
func FuzzSnapshotLoad(f *testing.F) {
	good := goodFile(f)
	_, document, _ := bytes.Cut(good, []byte("\n"))
	for _, seed := range [][]byte{
		good, document, nil, []byte("null"), []byte("fairlead-instances/1 \n"), []byte("fairlead-instances/2 x\n{}"),
		[]byte(`{"service":"orders","asOf":"2026-01-02T03:04:05Z","instances":[null,{},{"id":"a","service":"orders","addr":"[::1]:1"},{"id":"a","service":"orders","addr":"[::2]:1"}]}`),
		[]byte(`{"service":"orders","revision":-9223372036854775808,"asOf":"0001-01-01T00:00:01Z","instances":[{"id":"b","service":"orders","addr":"1.1.1.1:1","startedAt":"9999-12-31T23:59:59-12:00"}]}`),
		[]byte(`{"Service":"users","service":"orders","asOf":"9999-12-31T23:59:59.999999999-23:59"}`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range [][]byte{data, sealed(data)} {
			s, err := decodeSnapshot("orders", file)
			if err != nil {
				if !errors.Is(err, ErrInvalid) || len(s.Instances) != 0 || s.State != Cold {
					t.Fatalf("got %+v, %v", s, err)
				}
				continue
			}
			if s.Service != "orders" || s.State != Stale || s.AsOf.IsZero() || len(s.Refusals) > MaxRefusals || s.Refused < len(s.Refusals) {
				t.Fatalf("got %+v", s)
			}
			for n, i := range s.Instances {
				if err := i.Validate(); err != nil || i.Service != "orders" || n > 0 && s.Instances[n-1].ID >= i.ID {
					t.Fatalf("instance %d is %+v: %v", n, i, err)
				}
			}
			again, err := encodeSnapshot(s, time.Now())
			if err != nil {
				t.Fatalf("what was loaded cannot be saved: %v", err)
			}
			back, err := decodeSnapshot("orders", again)
			if err != nil || back.Refused != 0 || back.Revision != s.Revision || !back.AsOf.Equal(s.AsOf) || !slices.EqualFunc(back.Instances, s.Instances, (*Instance).Equal) {
				t.Fatalf("what was loaded is\n%+v, and saved and loaded again\n%+v, %v", s, back, err)
			}
		}
	})
}

// sealed is a file that holds a document with the checksum it should have.
func sealed(document []byte) []byte {
	return append([]byte(instancesFormat+"/"+snapshotVersion+" "+checksum(document)+"\n"), document...)
}
