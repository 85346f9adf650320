// Package fairleadtest has doubles for the tests of programs that call through
// fairlead.
//
// A [Fleet] is a set of services that exists in memory only. It is all that a
// mesh needs of the world: the registry in which the instances are announced,
// and the network over which they are reached. Instances answer at once and
// well, until [Fleet.Play] says otherwise, and every attempt is recorded.
// [Picks] takes the choice of instances away from chance.
//
//	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...)
//	mesh, err := transport.New(fleet)
//	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}
//
//	fleet.Play("a", fairleadtest.Reset().After(20*time.Millisecond))
//	// … the program under test uses client …
//	fleet.Called() // "a", "b": the call was made again elsewhere
//
// Nothing of this opens a socket or starts a goroutine, so that a test can run
// in a [testing/synctest] bubble, where latencies and timeouts of hours take no
// time. Where a test wants real sockets, [Listener] makes real servers fail.
package fairleadtest
