// Package fairlead is the map of the library; it holds no code. fairlead puts
// what a service mesh does into the process that makes the call: a program
// wraps its http.Client or adds a few gRPC dial options, and its calls are
// discovered, balanced, retried and observed in memory, with no proxy on the
// way.
//
// # Where to begin
//
//   - transport: make a mesh ([transport.Open]), be an instance
//     ([transport.Serve]), say something of one call ([transport.WithCall]),
//     look inside ([transport.Mesh.Dump]).
//   - transport/fairhttp: the door for net/http.
//   - transport/fairgrpc: the door for gRPC.
//   - discovery/etcd: the registry for production.
//   - transport/fairleadtest: test a program that uses fairlead.
//
// # What lies below
//
//   - discovery: what an instance is and how sets of them arrive; Static and
//     Memory registries; discovery/discoverytest, the contract of every other.
//   - balancer: nodes that measure, policies that choose.
//   - retry: what may be tried again, when a second attempt joins the first, and
//     what can be afforded.
//   - breaker: when calls are not even tried.
//   - rule: all of that as documents, for operators.
//
// Arrows point down only: the doors know transport, transport knows balancer,
// retry, breaker, rule and discovery, and these know no protocol, no etcd and no telemetry.
// A program links what it imports: with the HTTP door alone neither gRPC nor
// etcd.
//
// # The way of a call
//
// A call passes two halves. The call half runs once: the service, the
// deadline, the loop of attempts. The attempt half runs once per attempt: an
// instance is picked and counted, the attempt is sent, and how it ended goes
// back to the instance, the budget and the counters. Both doors run the same
// two halves; they only translate.
//
// No call waits for the registry, save for the very first list of a service.
// With etcd gone, calls to known instances go on, and the age of the list is
// shown.
//
// [transport.Open]: https://pkg.go.dev/github.com/fairlead-go/fairlead/transport#Open
// [transport.Serve]: https://pkg.go.dev/github.com/fairlead-go/fairlead/transport#Serve
// [transport.WithCall]: https://pkg.go.dev/github.com/fairlead-go/fairlead/transport#WithCall
// [transport.Mesh.Dump]: https://pkg.go.dev/github.com/fairlead-go/fairlead/transport#Mesh.Dump
package fairlead
