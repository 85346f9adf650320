// Package discoverytest is the contract of [discovery.Registry] and
// [discovery.Registrar] as a test suite: [Run]. Whoever writes one of them
// runs it, as the registries of this module do.
//
// Each sub-test is one promise and judges, as far as it can, nothing else: a
// registry that breaks one promise fails the sub-test named after it. The suite
// depends on no speed. It waits for what has to come, and gives up only after a
// patience far beyond what a registry over a real network needs.
package discoverytest
