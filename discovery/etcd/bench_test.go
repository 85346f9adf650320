package etcd

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// records are n records as this package writes them.
func records(tb testing.TB, n int) []*mvccpb.KeyValue {
	all := make([]*mvccpb.KeyValue, n)
	for i := range all {
		addr := fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255)
		instance := discovery.Instance{
			ID: discovery.NewID(), Service: "orders", Zone: "north-1", Version: "1.4.2", StartedAt: time.Now(),
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: addr}},
		}.Normalize(time.Now())
		value, err := encode(instance, "me")
		if err != nil {
			tb.Fatal(err)
		}
		all[i] = &mvccpb.KeyValue{
			Key: []byte(DefaultPrefix + "instances/orders/" + instance.ID), Value: []byte(value), Lease: 1,
			CreateRevision: int64(i + 1), ModRevision: int64(i + 1),
		}
	}
	return all
}

func quietFeed() *feed {
	f := newFeed(keys{prefix: DefaultPrefix}, "orders", DefaultMaxInstances, slog.New(slog.DiscardHandler), func() time.Time { return time.Time{} })
	overrideSink{f}.replace(nil, 1)
	return f
}

// BenchmarkOneChange is what one changed record among so many costs until
// readers can have the new list.
func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := records(b, n)
			f := quietFeed()
			f.replace(all, 1)
			b.ReportAllocs()
			revision := int64(n)
			for i := 0; b.Loop(); i++ {
				kv := all[i%n]
				revision++
				kv.ModRevision = revision
				f.published = time.Time{} // it is its turn
				f.apply([]*mvccpb.Event{{Type: mvccpb.Event_PUT, Kv: kv}}, revision)
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	all := records(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		f := quietFeed()
		f.replace(all, 1)
	}
}

// BenchmarkMemory reports what a list costs that is kept.
func BenchmarkMemory(b *testing.B) {
	all := records(b, 10_000)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		f := quietFeed()
		f.replace(all, 1)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "B/instance")
		runtime.KeepAlive(f)
	}
	runtime.KeepAlive(all)
}
