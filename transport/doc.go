// Package transport is the governance core: what happens to a call between
// the application and the wire, the same for HTTP and gRPC.
//
// A [Mesh] owns the view of every service that is called. A call goes through
// it in two halves. The call half, [Mesh.Do], runs once per call: it waits for
// the first list of the service if there was none, and makes attempts under
// one budget. The attempt half, [Mesh.Acquire] to [Lease.Done], runs once per
// attempt: it picks an instance and takes back how it went. No part of either
// waits for the registry once a service is known, save that the first call
// after a freeze of the process has the list refreshed; see [Refresher].
//
// The stages of a call are numbered in do.go and acquire.go: the deadline, injected
// faults, the attempts, each with the breaker of its service, the route, the pick
// and the gate, and at last the fallback. What rules and options say of them is
// documented in docs/attempts.md and docs/rules.md of the module.
//
// Applications meet the two doors instead: package fairhttp wraps any
// [net/http.RoundTripper], package fairgrpc gives dial options for any
// gRPC client. What belongs to both is here: [New] and [Open] to make a mesh,
// [WithCall] to say something of one call, [Serve] to be an instance,
// [Mesh.Dump] to look inside, [Error] for what goes wrong.
package transport
