// Package fairhttp is the door for net/http: it makes any [http.Client] call
// services through a [transport.Mesh], and any [http.Server] an instance of
// one.
//
//	client.Transport = fairhttp.New(mesh, client.Transport)
//	resp, err := client.Get("mesh://orders/v1/orders/42")
//
// # What is governed
//
// A mesh:// URL names a service, without a port. URLs of http:// and https://
// are governed if [Config].Hosts declares their host, for generated clients
// that know no other scheme; everything else goes to the base untouched. On
// the wire mesh:// is http, or https if [Config].TLS is set. The instance that
// was picked gets a Host header and a TLS server name that say the service;
// where it is, is nobody's business but the transport's, and resp.Request
// stays the caller's request.
//
// # What is tried again
//
// An attempt that never reached a server is made again on another instance,
// whatever the method. One whose connection was lost before a response is made
// again if the method is GET, HEAD, OPTIONS or TRACE, or if
// [transport.WithCall] declares the call idempotent. A body is sent again only
// if it is untouched or GetBody gives another; nothing is buffered. CONNECT
// and upgrades are never made again once they were sent. A status is not an
// error: it is judged (5xx against the instance, 429 and 503 as overload) and
// handed out with its body, unless [transport.WithRetry] or a rule has it tried
// again: then it is read for at most 64 KiB and 50 ms, so that its connection can be
// used again. Where a body cannot be had again, its first answer is the last. The
// server of a second attempt or a later one finds its number in the [Attempt]
// header.
//
// A hedge is sent to another instance with a request of its own, if the body is of
// no more than 64 KiB and can be got by GetBody; the loser is ended,
// which costs an HTTP/1 connection.
//
// Beneath this, net/http itself repeats what is lost on a connection that was
// used before, on the same instance. Such repetitions are counted in
// [State].Replays; where they begin they are stopped for a while, so that the
// loss comes back to the mesh, is paid for from its retry budget and goes
// elsewhere.
//
// An error is a [*transport.Error]. It wraps the cause, so that errors.Is
// finds context.DeadlineExceeded and its like, and it says whether a server
// may have executed the call.
//
// Where a service has no instance at all, a request fails at once with
// balancer.ErrNoInstances, or waits for the first one if
// [transport.WaitForReady] says so. What a caller gets in place of a failure is
// said by a rule or by [Config].Fallback.
//
// # How long an attempt takes
//
// The time of an attempt, where there is one, ends with the header of the answer,
// and a body takes what time the call has. [Config].ReadIdleTimeout bounds how long a
// body may be silent. Event streams and upgrades are bounded by neither. With
// [Config].SendTimeout servers are told how long their caller waits, and those that
// trust it ([TrustTimeout]) give up when it does; they are told the time of the
// attempt, where that is less, in which a whole answer is then expected.
//
// # Without a registry
//
// [Fixed] does all that for one host.
//
// # When a call ends
//
// A call is in flight until its body was read to the end or closed, as
// net/http demands of its callers anyway. Where a caller forgets that, a response
// of unknown length, of more than 64 KiB or with a status of 300 and above ends
// with the request's context at the latest. The time of one attempt, where it has
// its own, ends with the header of the response.
//
// # Connections
//
// Where the base is nil or an [*http.Transport], each instance gets one of its
// own, cloned from it: with an idle pool that fits concurrency, a bounded age,
// HTTP/2 pings, and without a proxy. It is drained when the instance leaves.
// Over HTTP/2 it is replaced when a call times out and nothing else was
// answered in the meantime. Sheddable calls have connections of their own, from the
// first of them on, so that bulk traffic holds up no other: neither by the windows of
// HTTP/2 nor by [Config].MaxConns. Few of those are kept idle, and for 30 seconds at
// most. Any other base is shared by all instances and all calls: it
// keeps its own pool, fairhttp warns once if that is too small, and since it is
// given addresses it has to know by itself which TLS server name to expect.
//
// # Addresses
//
// Where the mesh may call is said by [transport.WithReach], and checked on what
// the registry says and again on the socket, since a host name may become any
// address. Without a dialer of the caller's that is done before anything
// connects: a nil base dials as http.DefaultTransport does by itself, whatever
// dialer was put there. Behind a DialContext of a base's own, the RemoteAddr of
// the connection is checked, and a forbidden one is closed before anything is
// written; a proxy on loopback that it dials through is one. Behind its
// DialTLSContext the handshake is over by then. A base that is no
// [*http.Transport] keeps its sockets to itself, and so is given no host names.
//
// # Cookies, redirects, time
//
// These belong to the http.Client. A relative redirect stays in the mesh; one
// to another host is a request like any other of the client's, to which no
// policy of the mesh applies (http.Client.CheckRedirect can refuse it). The
// standard cookie jar ignores mesh:// URLs: declare the host and use http://
// where cookies matter. A context deadline is cheaper than
// http.Client.Timeout, for which the client starts a goroutine per call
// through any RoundTripper but its own.
//
// # Priority
//
// A call that is critical or sheddable, by [transport.Priority] or a rule, says so to
// the server in the [Priority] header. A [Handler] takes it into the context, so that
// the calls made for it are as important; without one, a proxy that passes a
// request on with its headers does the same.
//
// # Health checks
//
// [Prober] probes instances over HTTP where [transport.WithHealthCheck] asks for
// it. Its connections are its own, made as those of calls are.
//
// # The other end
//
// [Serve] runs an http.Server as an instance in one line, [Server] where a
// program serves more than HTTP. [Handler] with [Admit] takes on only what the server
// can work on. [ReportLoad] lets answers say how busy it is, for clients whose policy
// goes by that; the header is ORCA's, as Envoy reads it. Clients read it in all its
// forms, and count what they cannot read.
package fairhttp
