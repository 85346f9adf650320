package main

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// tally counts the executions of one instance in a file that both processes
// map: the count survives the instance, however it dies.
type tally struct{ count *atomic.Int64 }

func openTally(path string) (tally, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return tally{}, err
	}
	defer f.Close()
	if err := f.Truncate(8); err != nil {
		return tally{}, err
	}
	page, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return tally{}, err
	}
	return tally{(*atomic.Int64)(unsafe.Pointer(&page[0]))}, nil
}

func (t tally) add() { t.count.Add(1) }

// readTally reads the count of a tally that another process writes.
func readTally(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 8 {
		return 0
	}
	return int64(binary.NativeEndian.Uint64(b))
}
