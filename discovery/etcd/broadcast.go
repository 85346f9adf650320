package etcd

// broadcast tells everybody who waits that something has changed; what, they
// look up themselves. It is guarded by the mutex of what may change.
type broadcast struct{ changed chan struct{} }

// next returns a channel that is closed by the next tell.
func (b *broadcast) next() <-chan struct{} {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

func (b *broadcast) tell() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
