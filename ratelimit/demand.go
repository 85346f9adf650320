package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// demand measures how many calls ask in a second. It is the mean over the last three
// looks, so that it is exact three seconds after a change, which an average with
// weights that fade would not be.
type demand struct {
	asked     counter
	looks     [4]look // the newest first
	n         int     // of looks
	perSecond float64
}

// look is how many calls had asked at a moment.
type look struct {
	at    time.Duration
	asked int64
}

// counter has a cache line of its own, since every call writes it.
type counter struct {
	_ [64]byte
	atomic.Int64
	_ [56]byte
}

const soonest = time.Second / 2 // after the last look there can be another

// known says that there were two looks.
func (d *demand) known() bool { return d.n > 1 }

// observe looks, about once a second.
func (d *demand) observe(moment time.Duration) {
	if d.n > 0 && moment < d.looks[0].at+soonest {
		return
	}
	copy(d.looks[1:], d.looks[:])
	d.looks[0] = look{moment, d.asked.Load()}
	d.n = min(d.n+1, len(d.looks))
	if d.known() {
		d.perSecond = d.looks[0].perSecondSince(d.looks[d.n-1])
	}
}

// settled says that the last second was like those before.
func (d *demand) settled() bool {
	return d.known() && math.Abs(d.looks[0].perSecondSince(d.looks[1])-d.perSecond) <= publishChange*d.perSecond
}

func (l look) perSecondSince(m look) float64 {
	return float64(l.asked-m.asked) / (l.at - m.at).Seconds()
}
