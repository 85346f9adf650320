// Package fairgrpc is the door for gRPC: it makes any [grpc.ClientConn] call
// its service through a [transport.Mesh], and any [grpc.Server] an instance of
// one.
//
//	conn, err := grpc.NewClient("mesh:///orders", append(fairgrpc.DialOptions(mesh), creds)...)
//
// The target names the service; the generated client on top of conn does not
// change. [DialOptions] brings three things: a resolver, which follows whom
// the mesh calls of the service; a balancer, which holds one connection to each
// of them and lets the mesh choose among those that are ready; and
// interceptors, which make attempts of a unary call until one needs no other.
// [Resolver] brings the first two alone, for code whose dial options are out
// of reach.
//
// Of a large service a channel connects to those that its calls may go to, by
// default a hundred, see [balancer.Subset] and [transport.Mesh.Called]. With a
// policy that gives keys a place it connects to all, and the cost of that grows
// with the square of their number.
//
// What is tried again: an attempt that never reached a server, and one whose
// connection was lost before an answer if the method may be executed twice.
// The latter is taken from the method's idempotency_level in its proto file
// (NO_SIDE_EFFECTS or IDEMPOTENT); rules and [transport.WithCall] override it.
// Another attempt goes to another instance. A status that a server has answered
// with is passed on as it is, unless a rule says that it is retried; what the server
// says in grpc-retry-pushback-ms is obeyed then (gRFC A6). Streams are chosen an
// instance for and counted until they end, and not opened twice.
//
// Where rules have calls hedged, the second attempt has a reply of its own, and so
// it has for the options [grpc.Header], [grpc.Trailer] and [grpc.Peer]; interceptors
// placed after [DialOptions] run for it as well, at the same time as for the first.
// Only calls whose request and reply are protobuf messages are hedged.
//
// A connection on which two unary calls after another had no answer within their
// time is replaced, at most every ten seconds: it may be half open, and gRPC would
// not find out by itself.
//
// A call that is critical or sheddable, by [transport.Priority] or a rule, says so to
// the server in the metadata [Priority]. A server with [ServerOptions] takes it into
// the context, so that the calls made for it are as important; a proxy that passes
// metadata on does the same.
//
// [WithFallback] has code say what a caller gets in place of a failure.
//
// Which addresses may be called is said by [transport.WithReach], and checked on
// what the registry says and again on the socket before it connects, since a
// host name may become any address. Instances are reached without a proxy.
//
// Every error has a gRPC status. One that is not the server's own answer wraps
// a [transport.Error], which says at which stage, on which instance and after
// how many attempts the call failed.
//
// [Prober] asks instances for their health by gRPC's own protocol, where
// [transport.WithHealthCheck] wants that.
//
// The other end is [Serve], in one line, or [Server] where a program serves
// more than gRPC. With [Admit] it takes on only what it can work on. With [ReportLoad]
// it says in trailers how busy it is, for clients whose policy goes by that.
package fairgrpc
