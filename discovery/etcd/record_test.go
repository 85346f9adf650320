package etcd

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// full is an instance with no field left out.
func full() discovery.Instance {
	return discovery.Instance{
		ID:        "a",
		Service:   "orders",
		Addr:      "10.0.0.7:9000",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "10.0.0.7:9000"}, {Protocol: discovery.HTTP, Addr: "unix:/run/orders.sock"}},
		Weight:    70,
		Region:    "north",
		Zone:      "north-1",
		Version:   "1.4.2",
		Draining:  true,
		BootID:    "6f0c4f9e",
		StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC),
		Meta:      map[string]string{"team": "payments"},
	}
}

func leased(value string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key1), Value: []byte(value), Lease: 1, CreateRevision: 1, ModRevision: 1}
}

func TestRecordKeepsEveryField(t *testing.T) {
	want := full()
	fields := reflect.ValueOf(want)
	for n := range fields.NumField() {
		if fields.Field(n).IsZero() {
			t.Errorf("the test leaves out Instance.%s: it shows nothing for that field", fields.Type().Field(n).Name)
		}
	}
	value, err := encode(want, "me")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := decode("orders", "a", leased(value))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back: %+v (error: %v), want %+v", got, err, want)
	}
}

// The form is other programs' as well: it changes for nobody.
func TestRecordForm(t *testing.T) {
	i := discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000", Weight: 100, Zone: "north-1", StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	value, err := encode(i, "me")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Op":0,"Addr":"10.0.0.7:9000","Metadata":{"id":"a","service":"orders","weight":100,"zone":"north-1","startedAt":"2026-03-01T12:00:00Z","incarnation":"me","library":"` + library() + `"}}`
	if value != want {
		t.Errorf("record\n%s, want\n%s", value, want)
	}
}

func TestRecordTooLargeIsRefused(t *testing.T) {
	i := full()
	for n := range discovery.MaxMeta - 1 {
		i.Meta[strings.Repeat("k", n+1)] = strings.Repeat("v", discovery.MaxMetaBytes)
	}
	if err := i.Validate(); err != nil {
		t.Fatal(err)
	}
	_, err := encode(i, "me")
	if _, ok := errors.AsType[*discovery.FieldError](err); !ok || !strings.Contains(err.Error(), "8192") {
		t.Errorf("encode: %v, want a FieldError that names the limit", err)
	}
}

func TestDecode(t *testing.T) {
	bare := discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000"}
	for _, c := range []struct {
		name   string
		value  string
		lease  int64
		want   discovery.Instance
		refuse string // part of the reason; "": accepted
	}{
		{"ForeignWithoutMetadata", `{"Op":0,"Addr":"10.0.0.7:9000","Metadata":null}`, 1, bare, ""},
		{"ForeignWithAddrOnly", `{"Addr":"10.0.0.7:9000"}`, 1, bare, ""},
		{"ForeignMetadataText", `{"Addr":"10.0.0.7:9000","Metadata":"v1"}`, 1, bare, ""},
		{"ForeignMetadataNumber", `{"Addr":"10.0.0.7:9000","Metadata":7}`, 1, bare, ""},
		{"ForeignMetadataList", `{"Addr":"10.0.0.7:9000","Metadata":[{"id":"b"}]}`, 1, bare, ""},
		{"ForeignMetadataObject", `{"Addr":"10.0.0.7:9000","Metadata":{"weight":"heavy","zone":5}}`, 1, bare, ""},
		{"ForeignMetadataWithNumericID", `{"Addr":"10.0.0.7:9000","Metadata":{"id":7}}`, 1, bare, ""},
		{"HostileMetadata", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","meta":{"team":"payments","x\r\nHost: evil":"1","nul":"\u0000","utf8":"é","":"empty","long":"` + strings.Repeat("x", 257) + `"}}}`, 1,
			discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000", Meta: map[string]string{"team": "payments"}}, ""},
		{"UnknownFields", `{"Addr":"10.0.0.7:9000","Later":1,"Metadata":{"id":"a","later":{"x":[1]}}}`, 1, bare, ""},
		{"OurMetadataWithoutService", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","weight":7}}`, 1, discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000", Weight: 7}, ""},
		{"HostName", `{"Addr":"orders.example:80"}`, 1, discovery.Instance{ID: "a", Service: "orders", Addr: "orders.example:80"}, ""},
		{"Static", `{"Addr":"10.0.0.7:9000","Metadata":{"static":true,"zone":"z"}}`, 0, discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000", Zone: "z"}, ""},

		{"Empty", ``, 1, bare, "JSON"},
		{"NotJSON", `10.0.0.7:9000`, 1, bare, "invalid character"},
		{"NotAnObject", `"10.0.0.7:9000"`, 1, bare, "cannot unmarshal"},
		{"Null", `null`, 1, bare, "Instance.Addr"},
		{"NoAddress", `{"Op":0,"Metadata":{"id":"a"}}`, 1, bare, "Instance.Addr"},
		{"DecimalAddress", `{"Addr":"2130706433:80"}`, 1, bare, "Instance.Addr"},
		{"TooLarge", `{"Addr":"10.0.0.7:9000","Metadata":"` + strings.Repeat("x", maxRecord) + `"}`, 1, bare, "8192"},
		{"OtherID", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"b"}}`, 1, bare, `of the instance "b"`},
		{"OtherService", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","service":"users"}}`, 1, bare, `of the service "users"`},
		{"NoLease", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a"}}`, 0, bare, "no lease"},
		{"NotQuiteStatic", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","static":false}}`, 0, bare, "no lease"},
		{"WrongType", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","weight":"heavy"}}`, 1, bare, "weight"},
		{"NegativeWeight", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","weight":-1}}`, 1, bare, "Instance.Weight"},
		{"ControlBytes", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","zone":"x\ny"}}`, 1, bare, "Instance.Zone"},
		{"BadEndpoint", `{"Addr":"10.0.0.7:9000","Metadata":{"id":"a","endpoints":[{"protocol":"http","addr":"unix:../x"}]}}`, 1, bare, "Endpoints[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kv := leased(c.value)
			kv.Lease = c.lease
			got, _, err := decode("orders", "a", kv)
			switch {
			case c.refuse == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
				t.Errorf("decode: %+v, %v; want %+v", got, err, c.want)
			case c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse)):
				t.Errorf("decode: %+v, %v; want it refused for %q", got, err, c.refuse)
			}
		})
	}
}

// Whatever stands in etcd: what is accepted is valid and can be written again.
func FuzzDecodeInstance(f *testing.F) {
	value, err := encode(full(), "me")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{value, `{"Addr":"10.0.0.7:9000"}`, `{"Addr":"[::1]:9000","Metadata":{"static":true}}`, `{`, `null`, `{"Metadata":{"id":"a","meta":{"":""}}}`} {
		f.Add(seed, int64(1))
		f.Add(seed, int64(0))
	}
	f.Fuzz(func(t *testing.T, value string, lease int64) {
		kv := leased(value)
		kv.Lease = lease
		i, _, err := decode("orders", "a", kv)
		if addr, m, ok := canonical(kv.Value); ok && len(value) <= maxRecord {
			if a, n, err := read("orders", kv.Value); err != nil || a != addr || !reflect.DeepEqual(n, m) {
				t.Fatalf("read in one go: %s %+v, and as any JSON: %s %+v, %v", addr, m, a, n, err)
			}
		}
		if err != nil {
			return
		}
		if err := i.Validate(); err != nil || i.ID != "a" || i.Service != "orders" {
			t.Fatalf("accepted %+v: %v", i, err)
		}
		again, err := encode(i, "me")
		if _, tooLarge := errors.AsType[*discovery.FieldError](err); tooLarge {
			return // an address or two longer than the writer was
		}
		if err != nil || !json.Valid([]byte(again)) {
			t.Fatalf("cannot be written again: %s, %v", again, err)
		}
		if j, _, err := decode("orders", "a", leased(again)); err != nil || !j.StartedAt.Equal(i.StartedAt) {
			t.Fatalf("%+v becomes %+v: %v", i, j, err)
		}
	})
}
