// Package etcd is the [discovery.Registry] and [discovery.Registrar] for
// production: instances are leased keys in etcd.
//
// Below the prefix of [Config], "fairlead/v1/" unless said otherwise, stand
//
//	instances/<service>/<id>   leased    {"Op":0,"Addr":"10.0.0.7:9000","Metadata":{…}}
//	overrides/<service>/<id>   durable   {"state":"drain","weight":50,"by":"…","reason":"…","until":"…"}
//	clients/<service>/<id>     leased    {"service":"…","library":"…","edition":1,"rules":{"applied":7},"demand":{"LIMIT":120}}: who calls the service
//	rules/<service>            durable   the rules of its calls, a rule.Policy
//	history/<service>/<n>      durable   {"document":{…},"at":"…","by":"…","reason":"…"}: what the rules were
//	epoch                      durable   a random value: who reads another one reads another store
//
// An instance's record is what the resolver of etcd's own client package
// reads, so that any gRPC program that dials etcd:///fairlead/v1/instances/orders
// finds the instances of orders. For such readers the deletion of the key is
// the drain; the readers of this package also see the draining record before.
//
// A [Registry] holds two connections to etcd, so that a large read never
// delays a heartbeat. Neither is made before it is needed:
//
//   - One goroutine, the supervisor, owns the lease and all registrations of
//     the process. It compares what should be with what is, one call at a
//     time, and never gives up: after whatever happened to etcd, to the lease
//     or to a key, it tells etcd again until it has read its own record back.
//     A process that was stopped for a while claims nothing before it has asked.
//   - One goroutine watches the other connection and proves every half minute
//     that etcd answers, and that its watches do. Two more for each watched
//     service, one for the instances and one for what operators say of them,
//     list the keys and watch from that revision on; when the watch ends, they
//     list again unless etcd proves that nothing has changed. What was known is
//     kept meanwhile, marked [discovery.Stale]. Rules, settings and clients that
//     somebody follows have one each.
//
// Readers are told of a change at once, and of further ones ten times a second.
//
// What other frameworks registered is read by a [Reader]. Tools of people, such
// as the command fairlead, show and write through an [Operator].
package etcd
