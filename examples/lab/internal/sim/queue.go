package sim

// event is something that happens. It is small: a million of them are moved per
// second.
type event struct {
	at   int64 // nanoseconds
	who  uint32
	gen  uint16 // of the attempt that it is about: one of another is out of date
	kind kind
}

type kind uint8

const (
	arrives  kind = iota // an attempt at its server
	leaves               // an attempt its server
	answered             // an attempt its client
	quits                // a client an attempt, as its server learns
	joins                // another attempt one that is late
	again                // a call begins its next attempt
	begins               // a call of a closed loop
	reviews              // a client its pool
	hears                // a client a list
	changes              // the timetable
	scales               // the autoscaler
)

// queue holds events in order of time: a heap of which each node has four
// children, which are beside each other in memory.
type queue []event

func (q *queue) push(e event) {
	*q = append(*q, e)
	h := *q
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent].at <= e.at {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// pop takes the earliest event of a queue that is not empty.
func (q *queue) pop() event {
	h := *q
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h)); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if h[least].at >= last.at {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return first
}
