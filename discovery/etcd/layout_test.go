package etcd

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestLayoutsOfOthers(t *testing.T) {
	const kratos = `{"id":"7f","name":"orders","version":"v2","metadata":{"weight":"30","zone":"b"},"endpoints":["http://10.0.0.7:8000","grpc://10.0.0.7:9000?isSecure=false","ws://10.0.0.7:7000"]}`
	for _, c := range []struct {
		name   string
		layout Layout
		key    string // of the instance x
		value  string
		lease  int64
		want   discovery.Instance
		refuse string // part of the reason; "": accepted
	}{
		{"GoZero", GoZero{}, "orders/x", "10.0.0.7:9000", 1, discovery.Instance{Addr: "10.0.0.7:9000"}, ""},
		{"GoZeroWithAnotherKey", GoZero{Key: func(s string) string { return s + ".rpc" }}, "orders.rpc/x", "10.0.0.7:9000", 1, discovery.Instance{Addr: "10.0.0.7:9000"}, ""},
		{"GoZeroGarbage", GoZero{}, "orders/x", "{}", 1, discovery.Instance{}, "Instance.Addr"},
		{"GoZeroWithoutLease", GoZero{}, "orders/x", "10.0.0.7:9000", 0, discovery.Instance{}, "no lease"},
		{"GoZeroTooLarge", GoZero{}, "orders/x", strings.Repeat("1", maxRecord+1), 1, discovery.Instance{}, "8192"},

		{"Kratos", Kratos{}, "/microservices/orders/x", kratos, 1, discovery.Instance{
			Addr: "10.0.0.7:9000", Version: "v2", Weight: 30, Meta: map[string]string{"weight": "30", "zone": "b"},
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8000"}, {Protocol: discovery.GRPC, Addr: "10.0.0.7:9000"}},
		}, ""},
		{"KratosOtherNamespace", Kratos{Namespace: "/shop/"}, "/shop/orders/x", `{"name":"orders","endpoints":["http://10.0.0.7:8000"]}`, 1, discovery.Instance{
			Addr: "10.0.0.7:8000", Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8000"}},
		}, ""},
		{"KratosHostileMetadata", Kratos{}, "/microservices/orders/x", `{"name":"orders","metadata":{"a":"x\r\ny","zone":"b"},"endpoints":["http://10.0.0.7:8000"]}`, 1, discovery.Instance{
			Addr: "10.0.0.7:8000", Meta: map[string]string{"zone": "b"}, Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8000"}},
		}, ""},
		{"KratosOtherService", Kratos{}, "/microservices/orders/x", strings.Replace(kratos, "orders", "orders2", 1), 1, discovery.Instance{}, `of the service "orders2"`},
		{"KratosNoEndpoint", Kratos{}, "/microservices/orders/x", `{"name":"orders"}`, 1, discovery.Instance{}, "Instance.Addr"},
		{"KratosBadWeight", Kratos{}, "/microservices/orders/x", strings.Replace(kratos, `"30"`, `"heavy"`, 1), 1, discovery.Instance{}, "weight"},
		{"KratosBadEndpoint", Kratos{}, "/microservices/orders/x", `{"name":"orders","endpoints":["http://%zz"]}`, 1, discovery.Instance{}, "endpoint"},
		{"KratosTwice", Kratos{}, "/microservices/orders/x", `{"name":"orders","name":"orders","endpoints":["http://10.0.0.7:8000"]}`, 1, discovery.Instance{}, "twice"},
		{"KratosNotJSON", Kratos{}, "/microservices/orders/x", `orders`, 1, discovery.Instance{}, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.layout.Prefix("orders") + "x"; got != c.key {
				t.Errorf("key %q, want %q", got, c.key)
			}
			c.want.ID, c.want.Service = "x", "orders"
			got, _, err := foreign(c.layout)("orders", "x", &mvccpb.KeyValue{Key: []byte(c.key), Value: []byte(c.value), Lease: c.lease})
			switch {
			case c.refuse == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			case c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse)):
				t.Errorf("%+v, %v; want it refused for %q", got, err, c.refuse)
			}
		})
	}
}

type sloppy struct{ GoZero }

func (sloppy) Prefix(service string) string { return service }

func TestReaderRefuses(t *testing.T) {
	good := Config{}
	good.Client.Endpoints = []string{"127.0.0.1:2379"}
	for name, c := range map[string]ReaderConfig{"NoLayout": {Config: good}, "BadConfig": {Layout: GoZero{}}} {
		if _, err := c.Open(); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
	// Trap 12: a prefix without a closing slash is also that of the neighbour.
	r, err := NewReader(ReaderConfig{Config: good, Layout: sloppy{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	for s, err := range r.Watch(t.Context(), "orders") {
		if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Value != "orders" || s.State == discovery.Live {
			t.Errorf("a prefix without a slash: %+v, %v", s, err)
		}
	}
}
