// Package discovery says what an instance of a service is and how sets of
// instances arrive.
//
// An [Instance] is one running copy of a service: where it is, how it can be
// reached, what it is like. A [Registry] hands out complete, immutable
// [Snapshot] values, never deltas: a reader that missed ten of them and sees
// the eleventh has missed nothing. A [Registrar] makes an instance visible to
// others and keeps it so.
//
// A [SnapshotDir] keeps the last lists on disk for a start without the
// registry.
//
// [Static], [Memory], [File] and [DNS] live in this package; package
// discovery/etcd holds the registry for production. Whoever writes another runs
// the contract suite of package discovery/discoverytest against it. [Composite]
// makes one of several: a fallback, a union, or both ends of a migration.
//
// The package imports nothing but the standard library.
package discovery
