package ratelimit

import "time"

// Quota is this process's part of a limit that many share. (A stand-in until the
// arithmetic is there.)
type Quota struct {
	bucket *Bucket
	rate   float64
	share  float64
}

// NewQuota returns a quota that has the whole number.
func NewQuota(c RateConfig) (*Quota, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b, err := NewBucket(c)
	return &Quota{bucket: b, rate: c.Rate, share: c.Rate}, err
}

// Bucket is what calls go through.
func (q *Quota) Bucket() *Bucket { return q.bucket }

// Observe is called once a second.
func (q *Quota) Observe(now time.Duration) {}

// Publish returns the demand and whether it is to be shown.
func (q *Quota) Publish(now time.Duration) (demand float64, due bool) { return 0, false }

// Clients divides the number.
func (q *Quota) Clients(now time.Duration, mine int, demands []float64) {
	q.share = q.rate / float64(len(demands))
}

// Alone takes a part among as many others.
func (q *Quota) Alone(clients int) { q.share = q.rate / float64(clients+1) }

// Share is in calls per second.
func (q *Quota) Share() float64 { return q.share }

// Demand is in calls per second.
func (q *Quota) Demand() float64 { return 0 }

// Set replaces the number.
func (q *Quota) Set(c RateConfig) error { q.rate = c.Rate; return c.Validate() }
