package breaker

// Allow asks for a call to be let through. If it is, Done must be called on the
// ticket when the call has ended. If it is not, the error is [ErrOpen]. An allowed
// call costs one allocation, which is gobreaker's; a rejected one none.
func (b *Breaker) Allow() (Ticket, error) {
	mode := b.Mode()
	switch mode {
	case Disabled:
		return Ticket{}, nil
	case ForcedOpen:
		b.rejected.Add(1)
		return Ticket{}, &b.forced
	}
	t, err := b.admit()
	if err == nil {
		return t, nil
	}
	if mode == ObserveOnly {
		b.wouldReject.Add(1)
		return Ticket{}, nil
	}
	b.rejected.Add(1)
	return Ticket{}, err
}

// admit asks the state that the breaker is in, and again if that was another in
// the meantime.
func (b *Breaker) admit() (Ticket, error) {
	for {
		at := b.at()
		switch {
		case at.state() == Closed:
			if done := b.admitClosed(at); done != nil {
				t := Ticket{breaker: b, done: done, at: at}
				if b.window.slow > 0 {
					t.began = b.now()
				}
				return t, nil
			}
		case at.state() == Open && b.resting():
			return Ticket{}, &b.open // gobreaker would say the same, under its lock
		default:
			if t, err := b.probe(); err != nil || t.breaker != nil {
				return t, err
			}
		}
	}
}

// admitClosed returns nil if the breaker did not stay closed. A call that was let
// through after that holds a place of the half-open state, which nobody would ever
// take back from it: it gives it back.
func (b *Breaker) admitClosed(at epoch) (done func(error)) {
	done, err := b.machine.Allow()
	if b.at() == at {
		return done // gobreaker rejects nothing while it is closed
	}
	if err == nil {
		done(ignored)
	}
	return nil
}
