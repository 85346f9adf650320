package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MostSharing is how many clients share a [Quota] by demand. Of more, each has an
	// equal part and says nothing of its demand.
	MostSharing = 100

	memory       = 2 * time.Second // of the demand
	publishEvery = 5 * time.Second
	publishOn    = 0.2  // change of the demand
	nothing      = 0.01 // calls per second; a demand below is none
	growEvery    = time.Second
	trickle      = 0.01 // of an equal part, is what a client may always have
)

// Quota is the part that one client has of a limit for a whole fleet.
type Quota struct {
	bucket Bucket
	asked  atomic.Int64

	mu        sync.Mutex // guards what follows
	config    RateConfig // of the fleet
	share     float64    // calls per second that the bucket allows
	target    float64    // what share grows to
	heard     bool
	clients   int // as last heard
	demand    demand
	published float64 // negative: never
	publishAt time.Duration
}

type demand struct {
	perSecond float64
	begun     bool
	known     bool
	at        time.Duration
}

// NewQuota ...
func NewQuota(c RateConfig) (*Quota, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	q := &Quota{config: c, share: c.Rate, target: c.Rate, published: -1}
	q.bucket.begin(c, newTimeline())
	q.bucket.asked = &q.asked
	return q, nil
}

// Bucket is what the client's calls ask.
func (q *Quota) Bucket() *Bucket { return &q.bucket }

// Observe measures the demand and lets the share grow.
func (q *Quota) Observe(now time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := &q.demand
	if !d.begun {
		d.begun, d.at = true, now
		q.asked.Store(0)
		return
	}
	passed := now - d.at
	if passed <= 0 {
		return
	}
	d.at = now
	perSecond := float64(q.asked.Swap(0)) / passed.Seconds()
	if !d.known {
		d.known, d.perSecond = true, perSecond
	}
	d.perSecond += (perSecond - d.perSecond) * -math.Expm1(-passed.Seconds()/memory.Seconds())
	if d.perSecond < nothing {
		d.perSecond = 0
	}
	if q.share < q.target {
		q.setLocked(now, q.share+(q.target-q.share)*-math.Expm1(-math.Ln2*passed.Seconds()/growEvery.Seconds()))
	}
}

func (q *Quota) setLocked(now time.Duration, share float64) {
	q.share = share
	part := share / q.config.Rate
	q.bucket.set(q.bucket.line.moment(now), share, max(1, int(part*float64(q.config.burst()))))
}

// Publish says
func (q *Quota) Publish(now time.Duration) (demand float64, due bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := q.demand.perSecond
	switch {
	case q.clients > MostSharing || !q.demand.known:
		return d, false
	case q.published < 0:
	case now < q.publishAt+publishEvery, math.Abs(d-q.published) <= publishOn*q.published:
		return d, false
	}
	q.published, q.publishAt = d, now
	return d, true
}

// Clients says
func (q *Quota) Clients(now time.Duration, mine int, demands []float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.heard = true
	q.clients = len(demands)
	if mine < 0 || mine >= len(demands) {
		q.clients++
		mine = -1
	}
	equal := q.config.Rate / float64(q.clients)
	if mine < 0 || q.clients > MostSharing {
		q.aimLocked(now, equal)
		return
	}
	floored := make([]float64, len(demands))
	for i, d := range demands {
		floored[i] = max(counted(d), trickle*equal)
	}
	q.aimLocked(now, Share(q.config.Rate, floored)[mine])
}

func (q *Quota) aimLocked(now time.Duration, target float64) {
	q.target = target
	if target < q.share {
		q.setLocked(now, target)
	}
}

// Alone says
func (q *Quota) Alone(clients int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.heard {
		return
	}
	q.target = q.config.Rate / float64(max(0, clients)+1)
}

// Share is
func (q *Quota) Share() float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.share
}

// Demand is
func (q *Quota) Demand() float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.demand.perSecond
}

// Set changes
func (q *Quota) Set(c RateConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return nil
}
