package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Rate is how many calls there may be in a time, and written as such: "200/s",
// "10/m", "0.5/s", "3000/h". The zero value is none.
type Rate struct {
	Calls  float64
	Within time.Duration // a second, a minute or an hour
}

// units are what calls are counted within.
var units = [...]struct {
	name   string
	within time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// PerSecond is the rate in calls per second.
func (r Rate) PerSecond() float64 { return r.Calls / r.Within.Seconds() }

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string {
	for _, unit := range units {
		if unit.within == r.Within {
			return strconv.FormatFloat(r.Calls, 'f', -1, 64) + "/" + unit.name
		}
	}
	return fmt.Sprintf("%v within %v", r.Calls, r.Within)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Rate) UnmarshalText(text []byte) error {
	number, name, _ := strings.Cut(string(text), "/")
	whole, fraction, point := strings.Cut(number, ".")
	for _, unit := range units {
		if unit.name == name && digits(whole, 13) && (!point || digits(fraction, 6)) {
			calls, err := strconv.ParseFloat(number, 64)
			*r = Rate{calls, unit.within}
			return err
		}
	}
	return fmt.Errorf("%q is no rate", text)
}

// digits reports whether a text is of 1 to so many digits.
func digits(text string, most int) bool {
	return len(text) > 0 && len(text) <= most && strings.Trim(text, "0123456789") == ""
}

func (d *decoder) callRate(n *document.Node, to *Rate) {
	if n.Kind != document.Text || to.UnmarshalText([]byte(n.Text)) != nil {
		d.wrong(n, `allowed is a number of calls in a second, a minute or an hour, such as "200/s", "10/m" or "0.5/h"`)
	}
}

func (c *checker) callRate(field string, r Rate) {
	const allowed = `above 0 to 1000000000 calls per second, with at most 6 decimals, such as "200/s", "10/m" or "3000/h"`
	switch again := new(Rate); {
	case r == Rate{}:
		c.badField(field, "", "one is needed, "+allowed)
	case again.UnmarshalText([]byte(r.String())) != nil || !(r.Calls > 0 && r.PerSecond() <= ratelimit.MaxRate):
		c.badField(field, quote(r.String()), "allowed is "+allowed)
	}
}
