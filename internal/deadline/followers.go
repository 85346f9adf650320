package deadline

// followers are what is to be called at the end of a context. Most have one, for the
// context that a transport derives.
type followers struct {
	first func()
	more  map[int]func() // by number, from 1 on
	added int
}

// add returns the number of f, by which it is removed.
func (fs *followers) add(f func()) int {
	n := fs.added
	fs.added++
	if n == 0 {
		fs.first = f
		return n
	}
	if fs.more == nil {
		fs.more = map[int]func(){}
	}
	fs.more[n] = f
	return n
}

// remove reports whether one of the others was still there.
func (fs *followers) remove(n int) bool {
	_, was := fs.more[n]
	delete(fs.more, n)
	return was
}

// call calls all.
func (fs *followers) call() {
	if fs.first != nil {
		fs.first()
	}
	for _, f := range fs.more {
		f()
	}
}
