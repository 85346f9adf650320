package discovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// valid is a normalized instance that nothing is wrong with.
func valid() discovery.Instance {
	return discovery.Instance{
		ID:        "7f3a",
		Service:   "orders",
		Addr:      "10.0.0.7:8080",
		Weight:    discovery.DefaultWeight,
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestNewIDIsNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := discovery.NewID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("NewID() = %q; want 32 hex digits that never came before", id)
		}
		seen[id] = true
	}
}

func TestNormalizeFillsInWhatIsEmpty(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	unix := discovery.Endpoint{Protocol: discovery.GRPC, Addr: "unix:/run/orders.sock"}
	http := discovery.Endpoint{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}
	grpc := discovery.Endpoint{Protocol: discovery.GRPC, Addr: "10.0.0.7:9090"}

	t.Run("ID", func(t *testing.T) {
		a, b := discovery.Instance{}.Normalize(now), discovery.Instance{}.Normalize(now)
		if a.ID == "" || a.ID == b.ID {
			t.Errorf("IDs %q and %q; want two different ones", a.ID, b.ID)
		}
	})
	t.Run("Weight", func(t *testing.T) {
		if got := (discovery.Instance{}).Normalize(now).Weight; got != discovery.DefaultWeight {
			t.Errorf("Weight = %d, want %d", got, discovery.DefaultWeight)
		}
	})
	t.Run("StartedAt", func(t *testing.T) {
		if got := (discovery.Instance{}).Normalize(now).StartedAt; !got.Equal(now) {
			t.Errorf("StartedAt = %v, want %v", got, now)
		}
	})
	for _, row := range []struct {
		name      string
		endpoints []discovery.Endpoint
		want      string
	}{
		{"Addr from the gRPC endpoint, wherever it stands", []discovery.Endpoint{http, grpc}, grpc.Addr},
		{"Addr from the first endpoint without gRPC", []discovery.Endpoint{http, {Protocol: "thrift", Addr: "10.0.0.7:1"}}, http.Addr},
		{"Addr never from a unix endpoint", []discovery.Endpoint{unix, http}, http.Addr},
		{"Addr from nothing", []discovery.Endpoint{unix}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (discovery.Instance{Endpoints: row.endpoints}).Normalize(now).Addr; got != row.want {
				t.Errorf("Addr = %q, want %q", got, row.want)
			}
		})
	}
	t.Run("BootID where there is a unix endpoint", func(t *testing.T) {
		if got := (discovery.Instance{Endpoints: []discovery.Endpoint{http, unix}}).Normalize(now).BootID; got != discovery.BootID() {
			t.Errorf("BootID = %q, want that of this host, %q", got, discovery.BootID())
		}
		if got := (discovery.Instance{Endpoints: []discovery.Endpoint{http}}).Normalize(now).BootID; got != "" {
			t.Errorf("BootID = %q without a unix endpoint, want none", got)
		}
	})
}

func TestNormalizeKeepsWhatIsGiven(t *testing.T) {
	i := valid()
	i.Weight, i.BootID = 7, "elsewhere"
	i.Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "unix:/run/orders.sock"}, {Protocol: discovery.GRPC, Addr: "10.0.0.8:1"}}

	if got := i.Normalize(time.Now()); !reflect.DeepEqual(got, i) {
		t.Errorf("Normalize changed\n%+v to\n%+v", i, got)
	}
}

func TestInstanceValidate(t *testing.T) {
	text256 := strings.Repeat("x", discovery.MaxMetaBytes)
	meta := func(n int) map[string]string {
		m := map[string]string{}
		for k := range n {
			m[fmt.Sprint(k)] = ""
		}
		return m
	}
	endpoints := func(n int) []discovery.Endpoint {
		return slices.Repeat([]discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}}, n)
	}
	tooLate := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

	for _, row := range []struct {
		name  string
		set   func(*discovery.Instance)
		field string // "": none is bad
		value any
	}{
		{"as it is", func(i *discovery.Instance) {}, "", nil},
		{"ID of all allowed bytes", func(i *discovery.Instance) { i.ID = "aZ09._-:" }, "", nil},
		{"ID of 128 bytes", func(i *discovery.Instance) { i.ID = strings.Repeat("x", 128) }, "", nil},
		{"weight 0", func(i *discovery.Instance) { i.Weight = 0 }, "", nil},
		{"host name", func(i *discovery.Instance) { i.Addr = "localhost:80" }, "", nil},
		{"greatest weight", func(i *discovery.Instance) { i.Weight = 10_000 }, "", nil},
		{"16 endpoints", func(i *discovery.Instance) { i.Endpoints = endpoints(16) }, "", nil},
		{"zone of 256 bytes", func(i *discovery.Instance) { i.Zone = text256 }, "", nil},
		{"64 metadata entries", func(i *discovery.Instance) { i.Meta = meta(64) }, "", nil},
		{"metadata of 256 bytes each", func(i *discovery.Instance) { i.Meta = map[string]string{text256: text256} }, "", nil},
		{"no start time", func(i *discovery.Instance) { i.StartedAt = time.Time{} }, "", nil},

		{"bad service", func(i *discovery.Instance) { i.Service = "Orders" }, "service", "Orders"},
		{"no ID", func(i *discovery.Instance) { i.ID = "" }, "Instance.ID", ""},
		{"ID with a slash", func(i *discovery.Instance) { i.ID = "a/b" }, "Instance.ID", "a/b"},
		{"ID that is a path trick", func(i *discovery.Instance) { i.ID = ".." }, "Instance.ID", ".."},
		{"ID with a space", func(i *discovery.Instance) { i.ID = "a b" }, "Instance.ID", "a b"},
		{"ID of 129 bytes", func(i *discovery.Instance) { i.ID = strings.Repeat("x", 129) }, "Instance.ID", strings.Repeat("x", 129)},
		{"no address", func(i *discovery.Instance) { i.Addr = "" }, "Instance.Addr", ""},
		{"decimal address", func(i *discovery.Instance) { i.Addr = "2130706433:80" }, "Instance.Addr", "2130706433:80"},
		{"unix address", func(i *discovery.Instance) { i.Addr = "unix:/run/a" }, "Instance.Addr", "unix:/run/a"},
		{"17 endpoints", func(i *discovery.Instance) { i.Endpoints = endpoints(17) }, "len(Instance.Endpoints)", 17},
		{"negative weight", func(i *discovery.Instance) { i.Weight = -1 }, "Instance.Weight", -1},
		{"weight above the greatest", func(i *discovery.Instance) { i.Weight = 10_001 }, "Instance.Weight", 10_001},
		{"region with a line break", func(i *discovery.Instance) { i.Region = "eu\nX: y" }, "Instance.Region", "eu\nX: y"},
		{"zone of 257 bytes", func(i *discovery.Instance) { i.Zone = text256 + "x" }, "Instance.Zone", text256 + "x"},
		{"version with a control byte", func(i *discovery.Instance) { i.Version = "1\x7f" }, "Instance.Version", "1\x7f"},
		{"boot id beyond ASCII", func(i *discovery.Instance) { i.BootID = "é" }, "Instance.BootID", "é"},
		{"start time that JSON cannot hold", func(i *discovery.Instance) { i.StartedAt = tooLate }, "Instance.StartedAt", tooLate},
		{"65 metadata entries", func(i *discovery.Instance) { i.Meta = meta(65) }, "len(Instance.Meta)", 65},
		{"empty metadata key", func(i *discovery.Instance) { i.Meta = map[string]string{"": "x"} }, "Instance.Meta key", ""},
		{"metadata key with a tab", func(i *discovery.Instance) { i.Meta = map[string]string{"a\tb": "x"} }, "Instance.Meta key", "a\tb"},
		{"metadata value of 257 bytes", func(i *discovery.Instance) { i.Meta = map[string]string{"k": text256 + "x"} }, `Instance.Meta["k"]`, text256 + "x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := valid()
			row.set(&i)
			wantFieldError(t, i.Validate(), row.field, row.value)
		})
	}
}

func TestInstanceEqual(t *testing.T) {
	a, b := full(), full()
	b.StartedAt = b.StartedAt.UTC()
	b.Meta, b.Endpoints = maps.Clone(b.Meta), slices.Clone(b.Endpoints)
	if !a.Equal(&b) || !b.Equal(&a) {
		t.Error("two records that say the same are not equal")
	}
	for field := range reflect.TypeFor[discovery.Instance]().Fields() {
		b := full()
		reflect.ValueOf(&b).Elem().FieldByIndex(field.Index).SetZero()
		if a.Equal(&b) || b.Equal(&a) {
			t.Errorf("records with another %s are equal", field.Name)
		}
	}
}

func TestInstanceJSONLeavesOutWhatIsEmpty(t *testing.T) {
	got, err := json.Marshal(discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:80"})
	if want := `{"id":"a","service":"orders","addr":"10.0.0.7:80"}`; err != nil || string(got) != want {
		t.Errorf("JSON %s, error %v; want %s", got, err, want)
	}
}

// FuzzInstanceValidate: no input makes Validate panic, what it refuses it
// refuses with a FieldError, and what it takes survives JSON.
func FuzzInstanceValidate(f *testing.F) {
	f.Add("7f3a", "orders", "10.0.0.7:80", "grpc", "unix:/run/orders.sock", 100, "eu", "eu-1", "2.0", "boot", int64(1_700_000_000), "lane", "blue", true)
	f.Add("", "", "", "", "", -1, "\xff", "\n", "", "", int64(-1), "", "", false)
	f.Add("a:b", "a.b-c", "[2001:db8::1]:65535", "h2+tls", "[::1]:1", 0, "<&>", " ", "~", "", int64(1<<40), "\"\\", "\u2028", true)
	f.Add("a", "a", "[fe80::1%\xff]:80", "http", "unix:/\xff", 1, "", "", "", "", int64(0), "k", "v", false)
	f.Fuzz(func(t *testing.T, id, service, addr, protocol, endpoint string, weight int, region, zone, version, bootID string, started int64, key, value string, draining bool) {
		i := discovery.Instance{
			ID: id, Service: service, Addr: addr,
			Endpoints: []discovery.Endpoint{{Protocol: discovery.Protocol(protocol), Addr: endpoint}},
			Weight:    weight, Region: region, Zone: zone, Version: version, Draining: draining, BootID: bootID,
			StartedAt: time.Unix(started, started%1e9).UTC(),
			Meta:      map[string]string{key: value},
		}
		if err := i.Validate(); err != nil {
			if e, ok := errors.AsType[*discovery.FieldError](err); !ok || e.Field == "" || e.Allowed == "" {
				t.Fatalf("Validate() = %#v, want a FieldError with field and rule", err)
			}
			if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Fatalf("the error would break a log line: %q", err)
			}
			return
		}
		b, err := json.Marshal(i)
		if err != nil {
			t.Fatalf("a valid instance has no JSON: %v", err)
		}
		var back discovery.Instance
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("reading %s: %v", b, err)
		}
		if !back.StartedAt.Equal(i.StartedAt) || !maps.Equal(back.Meta, i.Meta) || !slices.Equal(back.Endpoints, i.Endpoints) {
			t.Fatalf("JSON turned\n%+v into\n%+v", i, back)
		}
		back.StartedAt, back.Meta, back.Endpoints = i.StartedAt, i.Meta, i.Endpoints
		if !reflect.DeepEqual(back, i) {
			t.Fatalf("JSON turned\n%+v into\n%+v", i, back)
		}
	})
}

// A field that Equal forgets would never be seen to change.
func TestEqualLooksAtEveryField(t *testing.T) {
	before := discovery.Instance{
		ID: "a", Service: "orders", Addr: "10.0.0.1:80", Weight: 1, Region: "r", Zone: "z", Version: "v", BootID: "b",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.1:80"}},
		StartedAt: time.Unix(1, 0),
		Meta:      map[string]string{"k": "v"},
	}
	same := before
	same.Endpoints, same.Meta = slices.Clone(before.Endpoints), maps.Clone(before.Meta)
	same.StartedAt = before.StartedAt.UTC()
	if !before.Equal(&same) {
		t.Error("equal instances are told apart")
	}
	for n := range reflect.TypeFor[discovery.Instance]().NumField() {
		after := before
		field := reflect.ValueOf(&after).Elem().Field(n)
		name := reflect.TypeFor[discovery.Instance]().Field(n).Name
		switch v := field.Addr().Interface().(type) {
		case *string:
			*v += "x"
		case *int:
			*v++
		case *bool:
			*v = !*v
		case *[]discovery.Endpoint:
			*v = []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "10.0.0.1:80"}}
		case *time.Time:
			*v = v.Add(time.Nanosecond)
		case *map[string]string:
			*v = map[string]string{"k": "w"}
		default:
			t.Fatalf("no way to change %s", name)
		}
		if before.Equal(&after) {
			t.Errorf("a change of %s is overlooked", name)
		}
	}
}
