package ratelimit

import (
	"math"
	"slices"
	"sync"
	"time"
)

// MostSharing is how many clients share a [Quota] by what they demand. Of more, each
// has an equal part, and none says anything.
const MostSharing = 100

const (
	publishEvery  = 5 * time.Second
	publishChange = 0.2              // of what was published, and no less
	lasting       = 2 * time.Second  // a change has to be, or calls that come at random would make many
	patience      = 10 * time.Second // with a demand that does not come to rest
	heardAfter    = 3 * time.Second  // by all, what one of them published
	trickle       = 0.01             // of an equal part is what a client demands at least
)

// Quota is the part that one client has of a limit for a whole fleet of them. All
// clients know of all others what they demand, and reckon with the same numbers what
// each may have, see [Share], so that no call has to ask anybody. Somebody has to
// carry the numbers: the owner of a Quota calls Observe about once a second, publishes
// what Publish says, and tells Clients what all have published.
//
// Clients hear of each other at different moments. So that they never have more than
// the whole together, one whose demand falls gives up its part at once, and one whose
// demand rises takes its part when all others have heard of it, 3 s after it was
// published. What others do not use any more is taken at once. If nothing is heard
// any more, all keep the parts that they have.
//
// A client that demands nothing may have a hundredth of an equal part, so that its
// first calls find something. Until Clients or Alone was called it has the whole.
//
// Nothing here runs by itself. A Quota is safe for concurrent use; its calls pay one
// atomic addition more than those of a [Bucket] without it.
type Quota struct {
	bucket Bucket
	demand demand // but for what is counted guarded by mu

	mu     sync.Mutex // guards what follows
	config RateConfig // of the fleet
	share  float64

	heard   bool
	clients int       // this one among them
	mine    int       // negative: not listed
	demands []float64 // nil: the parts are equal
	own     float64   // demand of this one that was reckoned with last

	published   float64 // negative: nothing
	publishedAt time.Duration
	before      float64       // own, when that was published
	steady      time.Duration // when the demand was last what was published
}

// NewQuota returns the part of one client of a limit, of which c is the whole. The
// error names the bad field.
func NewQuota(c RateConfig) (*Quota, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	q := &Quota{config: c, share: c.Rate, clients: 1, mine: -1, own: c.Rate, published: -1}
	q.bucket.begin(c, newTimeline())
	q.bucket.asked = &q.demand.asked.Int64
	return q, nil
}

// Bucket is what the calls of this client ask. Its rate is the client's share and its
// burst as much of the whole burst, at least 1; both follow, tokens stay.
func (q *Quota) Bucket() *Bucket { return &q.bucket }

// Observe measures the demand, and takes what this client may take by now. It is to
// be called about once a second.
func (q *Quota) Observe(now time.Duration) {
	moment := q.bucket.line.moment(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.demand.observe(moment)
	if !q.changedLocked() {
		q.steady = moment
	}
	q.divideLocked(moment)
}

// Publish returns what this client demands, in calls per second, and whether that is
// to be published. Who is told so has to do it, and to try again if that fails. It is
// due as soon as it is known, and then at most every 5 s and if it changed by more
// than 20 % and stayed so for 2 s. What is less than a hundredth of an equal part
// counts as that. With more than [MostSharing] clients it is never due.
func (q *Quota) Publish(now time.Duration) (demand float64, due bool) {
	moment := q.bucket.line.moment(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	demand = q.demand.perSecond
	switch {
	case !q.demand.known(), q.clients > MostSharing:
		return demand, false
	case q.published < 0:
	case !q.changedLocked(), moment < q.publishedAt+publishEvery, moment < q.steady+lasting, moment < q.steady+patience && !q.demand.settled():
		return demand, false
	}
	q.before, q.published, q.publishedAt = q.own, demand, moment
	q.divideLocked(moment)
	return demand, true
}

// changedLocked says whether the demand is not what was published.
func (q *Quota) changedLocked() bool {
	least := trickle * q.equalLocked()
	published := max(q.published, least)
	return math.Abs(max(q.demand.perSecond, least)-published) > publishChange*published
}

// Clients tells what all live clients have published, in calls per second. One of
// which that is not known yet, which is told by a negative number or NaN, counts as if
// it demanded an equal part. This client is the one at index mine; an index that there
// is not, say -1, means that it is not listed yet, and then it takes the part of one
// more. Of more than [MostSharing] only the number counts.
func (q *Quota) Clients(now time.Duration, mine int, demands []float64) {
	moment := q.bucket.line.moment(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.heard, q.clients, q.mine, q.demands = true, len(demands), mine, nil
	if mine < 0 || mine >= len(demands) {
		q.clients, q.mine = len(demands)+1, -1
	} else if len(demands) <= MostSharing {
		q.demands = slices.Clone(demands)
	}
	q.divideLocked(moment)
}

// Alone tells that nothing can be heard of the others, and how many there were when
// last something was: this client takes the part of one more. After a call of Clients
// it does nothing, since then the last share holds.
func (q *Quota) Alone(clients int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.heard {
		q.clients = max(clients, 0) + 1
		q.divideLocked(q.bucket.latest())
	}
}

// divideLocked reckons what this client may have, and sets the bucket.
func (q *Quota) divideLocked(moment time.Duration) {
	share := q.equalLocked()
	q.own = share
	if q.demands != nil {
		share = Share(q.config.Rate, q.demandsLocked(moment))[q.mine]
	}
	burst := max(1, int(float64(q.config.burst())*share/q.config.Rate+1e-6))
	if share != q.share || int64(burst) != q.bucket.burst.Load() {
		q.share = share
		q.bucket.set(moment, share, burst)
	}
}

// demandsLocked are the demands as they are to be reckoned with now.
func (q *Quota) demandsLocked(moment time.Duration) []float64 {
	equal := q.equalLocked()
	demands := slices.Clone(q.demands)
	for i, d := range demands {
		if d < 0 || math.IsNaN(d) {
			d = equal
		}
		demands[i] = max(counted(d), trickle*equal)
	}
	q.own = demands[q.mine]
	if q.published >= 0 && moment < q.publishedAt+heardAfter {
		q.own = max(min(q.own, q.published, q.before), trickle*equal)
		demands[q.mine] = q.own
	}
	return demands
}

func (q *Quota) equalLocked() float64 { return q.config.Rate / float64(q.clients) }

// Share is how many calls per second this client may send.
func (q *Quota) Share() float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.share
}

// Demand is how many calls per second asked the bucket, whether they were allowed or
// not: the mean over the last three calls of Observe.
func (q *Quota) Demand() float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.demand.perSecond
}

// Set changes the whole that is shared; the parts follow at once. The error names the
// bad field; then nothing changes.
func (q *Quota) Set(c RateConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.config = c
	q.divideLocked(q.bucket.latest())
	return nil
}
