package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// algorithms are the ways to choose an instance that a document may name. The
// first of them are of the first edition.
var algorithms = [...]string{"p2c-ewma", "least-request", "round-robin", "random", "weighted-round-robin", "smooth-weighted", "ring-hash", "maglev", "prequal"}

const algorithmsOfFirst = 3

// LoadBalancer says how one of several instances is chosen.
type LoadBalancer struct {
	// Algorithm is the name of a policy of package balancer; empty: what code
	// said.
	Algorithm string `json:"algorithm,omitempty"`
	// HashOn is what calls have in common that an algorithm which hashes sends to
	// the same instance: "header:NAME", "cookie:NAME", "query:NAME",
	// "baggage:NAME" or "key". Empty, and for a call without it: the key that
	// code gave the call.
	HashOn string `json:"hashOn,omitempty"`
	// PanicThreshold is the share of instances that must be well, or the health
	// of all is ignored. 0%: what code said.
	PanicThreshold Percent    `json:"panicThreshold,omitzero"`
	SlowStart      *SlowStart `json:"slowStart,omitempty"`
	// LocalityPreference is "zone", "region" or "none": how near instances are to
	// be. Where this process is, code says; empty: what code said of this, too.
	LocalityPreference string `json:"localityPreference,omitempty"`
	// Priorities are tiers of instances, the most preferred first; those that have
	// the labels of none are the last. An empty list is none, whatever code said.
	Priorities []Subset `json:"priorities,omitzero"`
	// SubsetSize is how many instances, of each tier and place, one process calls
	// at most; -1: all. 0: what code said.
	SubsetSize int `json:"subsetSize,omitempty"`
	// SelectionMethod is that of least-request, in Envoy's words: "n-choices",
	// which are two drawn at random, or "full-scan". Empty: what code said.
	SelectionMethod string `json:"selectionMethod,omitempty"`
	// HashBalanceFactor is that of ring-hash and maglev: beyond how many percent
	// of the mean a key leaves its instance, as in Envoy; -1: never. 0: what code
	// said.
	HashBalanceFactor int `json:"hashBalanceFactor,omitempty"`
	// ReportedWeights makes weighted-round-robin go by what servers report of their
	// load, too, as in gRFC A58.
	ReportedWeights *ReportedWeights `json:"reportedWeights,omitempty"`
}

// ReportedWeights are how reports of load become weights, in the words of gRFC
// A58. What is not said is as code said.
type ReportedWeights struct {
	Off                    bool     `json:"off,omitempty"`
	BlackoutPeriod         Duration `json:"blackoutPeriod,omitzero"`
	WeightExpirationPeriod Duration `json:"weightExpirationPeriod,omitzero"`
}

// SlowStart lets the load of a new instance grow. What is not said is as code
// said.
type SlowStart struct {
	Off              bool     `json:"off,omitempty"`
	Window           Duration `json:"window,omitzero"`
	MinWeightPercent int      `json:"minWeightPercent,omitempty"`
}

// OutlierDetection says who is passed over because of how its calls end, in the
// words of gRFC A50. What is not said is as code said.
type OutlierDetection struct {
	Off bool `json:"off,omitempty"`
	// ConsecutiveFailures in a row eject at once; -1: never.
	ConsecutiveFailures       int                        `json:"consecutiveFailures,omitempty"`
	Interval                  Duration                   `json:"interval,omitzero"`
	BaseEjectionTime          Duration                   `json:"baseEjectionTime,omitzero"`
	MaxEjectionTime           Duration                   `json:"maxEjectionTime,omitzero"`
	MaxEjectionPercent        int                        `json:"maxEjectionPercent,omitempty"`
	SuccessRateEjection       *SuccessRateEjection       `json:"successRateEjection,omitempty"`
	FailurePercentageEjection *FailurePercentageEjection `json:"failurePercentageEjection,omitempty"`
	SlowCallEjection          *SlowCallEjection          `json:"slowCallEjection,omitempty"`
}

// SuccessRateEjection ejects whose success rate is far below the mean. What is
// not said is as code said.
type SuccessRateEjection struct {
	Off bool `json:"off,omitempty"`
	// StdevFactor is a thousand times the number of standard deviations.
	StdevFactor           int `json:"stdevFactor,omitempty"`
	EnforcementPercentage int `json:"enforcementPercentage,omitempty"`
	MinimumHosts          int `json:"minimumHosts,omitempty"`
	RequestVolume         int `json:"requestVolume,omitempty"`
}

// FailurePercentageEjection ejects of whose calls too many fail. What is not said
// is as code said.
type FailurePercentageEjection struct {
	Off bool `json:"off,omitempty"`
	// Threshold is how many of 100 calls may fail.
	Threshold             int `json:"threshold,omitempty"`
	EnforcementPercentage int `json:"enforcementPercentage,omitempty"`
	MinimumHosts          int `json:"minimumHosts,omitempty"`
	RequestVolume         int `json:"requestVolume,omitempty"`
}

// SlowCallEjection ejects of whose calls too many are slow. What is not said is as
// code said.
type SlowCallEjection struct {
	Off bool `json:"off,omitempty"`
	// Duration is from when on a call is slow. Unless off, it must be said.
	Duration Duration `json:"duration,omitzero"`
	// Threshold is how many of 100 calls may be slow.
	Threshold             int `json:"threshold,omitempty"`
	EnforcementPercentage int `json:"enforcementPercentage,omitempty"`
	MinimumHosts          int `json:"minimumHosts,omitempty"`
	RequestVolume         int `json:"requestVolume,omitempty"`
}

func (c *checker) loadBalancer(l *LoadBalancer) {
	c.field("loadBalancer")
	c.oneOf("algorithm", l.Algorithm, algorithms[:]...)
	if l.HashOn != "" {
		c.property("hashOn", l.HashOn)
	}
	if p := l.PanicThreshold; p < 0 || p > 100_00 {
		c.badField("panicThreshold", p.String(), "allowed is 0% (what code said) to 100%")
	}
	if s := l.SlowStart; s != nil {
		c.field("slowStart")
		c.timeout("window", s.Window)
		c.whole("minWeightPercent", s.MinWeightPercent, 0, 100)
		c.back()
	}
	c.oneOf("localityPreference", l.LocalityPreference, "zone", "region", "none")
	c.most("priorities", len(l.Priorities), MaxPriorities)
	for n := range l.Priorities {
		c.in("priorities", n)
		c.subset(l.Priorities[n], l.Priorities[:n], "those of no priority are the last by themselves")
		c.out()
	}
	c.whole("subsetSize", l.SubsetSize, -1, mostCalls)
	c.ofAlgorithms(l)
	c.back()
}

// ofAlgorithms judges what is a matter of some algorithms: beside others it
// would do nothing.
func (c *checker) ofAlgorithms(l *LoadBalancer) {
	only := func(field, value string, algorithms ...string) {
		if !slices.Contains(algorithms, l.Algorithm) {
			c.badField(field, value, "allowed only where algorithm is "+strings.Join(algorithms, " or "))
		}
	}
	if s := l.SelectionMethod; s != "" {
		c.oneOf("selectionMethod", s, "n-choices", "full-scan")
		only("selectionMethod", quote(s), "least-request")
	}
	if f := l.HashBalanceFactor; f != 0 {
		if f < 100 && f != -1 || f > mostCalls {
			c.badField("hashBalanceFactor", strconv.Itoa(f), fmt.Sprintf("allowed is -1 (no bound), 0 (what code said), or 100 to %d", mostCalls))
		}
		only("hashBalanceFactor", strconv.Itoa(f), "ring-hash", "maglev")
	}
	if w := l.ReportedWeights; w != nil {
		only("reportedWeights", "", "weighted-round-robin")
		c.field("reportedWeights")
		c.timeout("blackoutPeriod", w.BlackoutPeriod)
		c.timeout("weightExpirationPeriod", w.WeightExpirationPeriod)
		c.back()
	}
}

func (c *checker) outlierDetection(o *OutlierDetection) {
	c.field("outlierDetection")
	c.whole("consecutiveFailures", o.ConsecutiveFailures, -1, mostCalls)
	c.timeout("interval", o.Interval)
	c.timeout("baseEjectionTime", o.BaseEjectionTime)
	c.timeout("maxEjectionTime", o.MaxEjectionTime)
	c.whole("maxEjectionPercent", o.MaxEjectionPercent, 0, 100)
	if r := o.SuccessRateEjection; r != nil {
		c.field("successRateEjection")
		c.whole("stdevFactor", r.StdevFactor, 0, mostCalls)
		c.rate(0, r.EnforcementPercentage, r.MinimumHosts, r.RequestVolume)
		c.back()
	}
	if r := o.FailurePercentageEjection; r != nil {
		c.field("failurePercentageEjection")
		c.rate(r.Threshold, r.EnforcementPercentage, r.MinimumHosts, r.RequestVolume)
		c.back()
	}
	if r := o.SlowCallEjection; r != nil {
		c.field("slowCallEjection")
		if !r.Off || r.Duration != 0 {
			c.between("duration", r.Duration, MinTimeout, MaxTimeout)
		}
		c.rate(r.Threshold, r.EnforcementPercentage, r.MinimumHosts, r.RequestVolume)
		c.back()
	}
	c.back()
}

func (c *checker) rate(threshold, enforcement, hosts, volume int) {
	c.whole("threshold", threshold, 0, 100)
	c.whole("enforcementPercentage", enforcement, 0, 100)
	c.whole("minimumHosts", hosts, 0, mostCalls)
	c.whole("requestVolume", volume, 0, mostCalls)
}

// mostCalls bounds numbers of calls and hosts.
const mostCalls = 1_000_000

// whole judges a number.
func (c *checker) whole(field string, n, least, most int) {
	if n < least || n > most {
		c.badField(field, strconv.Itoa(n), fmt.Sprintf("allowed is %d to %d", least, most))
	}
}

// cookie returns the value of a cookie in a header of cookies (RFC 6265).
func cookie(header, name string) (string, bool) {
	for rest := header; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, ";")
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return strings.Trim(value, `"`), true
		}
	}
	return "", false
}

// HashKey returns what a call has in common with others, where the document says
// what that is; "" where it does not, or the call has none of it.
func (t *Table) HashKey(r Request) string {
	if t.hashOn == nil {
		return ""
	}
	value, _ := t.hashOn.value(r)
	return value
}
