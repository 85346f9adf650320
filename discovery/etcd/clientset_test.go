package etcd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

const clientsPrefix = DefaultPrefix + "clients/users/"

func clientKey(id, value string, created, modified int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(clientsPrefix + id), Value: []byte(value), Lease: 7, CreateRevision: created, ModRevision: modified}
}

func list(s *clientSet) (c discovery.Clients) {
	s.fill(&c)
	return c
}

func TestClientsAreReadFromTheirKeys(t *testing.T) {
	withDemand := func(d string) string { return `{"service":"cart","demand":` + d + `}` }
	for _, row := range []struct {
		name, id, value string
		lease           int64
		want            map[string]float64
		refused         bool
	}{
		{name: "that says nothing of a demand", id: "a", value: `{"service":"cart"}`},
		{name: "without a name", id: "a", value: `{"service":"","demand":{"x":3}}`, want: map[string]float64{"x": 3}},
		{name: "that wants something", id: "a", value: withDemand(`{"x":3,"y":0.5}`), want: map[string]float64{"x": 3, "y": 0.5}},
		{name: "that wants nothing", id: "a", value: withDemand(`{"x":0}`), want: map[string]float64{"x": 0}},
		{name: "less than nothing", id: "a", value: withDemand(`{"x":-1,"y":2}`), want: map[string]float64{"y": 2}},
		{name: "more than there can be", id: "a", value: withDemand(`{"x":1e300,"y":2}`), want: map[string]float64{"y": 2}},
		{name: "no number at all", id: "a", value: withDemand(`{"x":1e999,"y":2}`)},
		{name: "null", id: "a", value: withDemand(`{"x":null,"y":2}`), want: map[string]float64{"y": 2}},
		{name: "a text", id: "a", value: withDemand(`{"x":"3"}`)},
		{name: "a demand that is none", id: "a", value: withDemand(`[3]`)},
		{name: "a demand that is null", id: "a", value: withDemand(`null`)},
		{name: "a limit without a name", id: "a", value: withDemand(`{"":3}`)},
		{name: "a limit said twice", id: "a", value: withDemand(`{"x":3,"x":4}`), refused: true},
		{name: "no JSON", id: "a", value: `{`, refused: true},
		{name: "no name of a service", id: "a", value: `{"service":"Cart!"}`, refused: true},
		{name: "no lease", id: "a", value: `{"service":"cart"}`, lease: -7, refused: true},
		{name: "two segments", id: "a/b", value: `{"service":"cart"}`, refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newClientSet(clientsPrefix, "self")
			kv := clientKey(row.id, row.value, 1, 1)
			kv.Lease += row.lease
			s.put(kv, true)
			got := list(&s)
			want := discovery.Clients{Clients: []discovery.Client{{ID: row.id, Demand: row.want}}, Number: 1}
			if row.refused {
				want = discovery.Clients{Clients: []discovery.Client{}, Refused: 1}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestTooManyDemandsAreLeftOut(t *testing.T) {
	all := map[string]float64{}
	for n := range 100 {
		all[fmt.Sprintf("limit%02d", n)] = 1
	}
	if got := slices.Sorted(maps.Keys(sound(all))); len(got) != mostDemands || got[0] != "limit00" || got[mostDemands-1] != "limit31" {
		t.Errorf("kept are %v", got)
	}
}

func TestOneClientIsTheProcessItself(t *testing.T) {
	s := newClientSet(clientsPrefix, "b")
	for _, id := range []string{"c", "b", "a"} {
		s.put(clientKey(id, `{"service":"cart"}`, 1, 1), true)
	}
	want := []discovery.Client{{ID: "a"}, {ID: "b", Self: true}, {ID: "c"}}
	if got := list(&s).Clients; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The set says of any history what a plain list of all keys says, however many of
// them are kept; and it says that something changed if and only if something did.
func TestClientSetCountsAsAListOfAllKeysDoes(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		s, all := newClientSet(clientsPrefix, "i00003"), map[string]*mvccpb.KeyValue{}
		s.most = 1 + random.IntN(12)
		for revision := int64(1); revision < 200; revision++ {
			before := list(&s)
			id := instanceName(random.IntN(12))
			changed := false
			switch random.IntN(8) {
			case 0: // all is listed again
				changed = s.replace(slices.Collect(maps.Values(all)))
			case 1, 2, 3:
				if all[id] == nil {
					continue
				}
				delete(all, id)
				changed = s.apply(&mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: []byte(clientsPrefix + id), ModRevision: revision}})
			default:
				value := fmt.Sprintf(`{"demand":{"x":%d}}`, random.IntN(3))
				if random.IntN(10) == 0 && s.most >= 12 { // beyond what is kept, nobody looks
					value = "bad"
				}
				kv := clientKey(id, value, revision, revision)
				if old := all[id]; old != nil {
					kv.CreateRevision = old.CreateRevision
				}
				all[id] = kv
				changed = s.apply(&mvccpb.Event{Kv: kv})
			}
			got, bad := list(&s), 0
			for _, kv := range all {
				if string(kv.Value) == "bad" {
					bad++
				}
			}
			if got.Number != len(all)-bad || got.Refused != bad || len(got.Clients) > s.most {
				t.Fatalf("seed %d: %d clients and %d refused, want %d and %d; %d are kept of at most %d", seed, got.Number, got.Refused, len(all)-bad, bad, len(got.Clients), s.most)
			}
			for _, c := range got.Clients {
				if want, _ := decodeClient(all[c.ID]); !maps.Equal(c.Demand, want.Demand) || c.Self != (c.ID == "i00003") {
					t.Fatalf("seed %d: %+v, want %+v", seed, c, want)
				}
			}
			if differs := !reflect.DeepEqual(got, before); differs && !changed {
				t.Fatalf("seed %d: %+v became %+v, and that is no change", seed, before, got)
			} else if changed && !differs && s.beyond == 0 {
				t.Fatalf("seed %d: %+v is told as a change", seed, got)
			}
		}
	}
}
