// Package faults plays what can go wrong against real processes: etcd, ten
// instances and a client under load. Each row of the table breaks one thing,
// mends it, and says with numbers what must have been true all the while. What
// must be true in every row is in package history.
//
//	go test ./internal/integration/faults                        # minutes: short outages, one seed
//	go test ./internal/integration/faults -run Faults/03 -v      # one row, with its figures
//	go test ./internal/integration/faults -seed 42               # as it was with this seed
//	go test ./internal/integration/faults -long -timeout 4h      # twenty seeds, outages of a minute, one of ten
//
// Bounds are three times what is promised wherever that is seconds. What is less
// than a second is told and not held against a machine that may be busy.
package faults
