package rule

import "github.com/fairlead-go/fairlead/internal/document"

// Outcome says how some answers are judged.
type Outcome struct {
	// Codes are HTTP statuses, such as "404", ranges of them, such as "500-599", and
	// names of gRPC codes, such as "NOT_FOUND".
	Codes []string `json:"codes"`
	// As is "success", "failure", "overload", or "neutral", which says nothing of
	// the instance.
	As string `json:"as"`
}

// Verdict is how an answer is judged.
type Verdict uint8

const (
	Success  Verdict = iota
	Failure          // the server is at fault
	Overload         // the server has too much to do
	Neutral          // it says nothing of the server
)

var verdicts = [...]string{Success: "success", Failure: "failure", Overload: "overload", Neutral: "neutral"}

// Outcomes are how answers are judged that a document says something of. Nil says
// something of none.
type Outcomes struct { // each one more than the verdict; 0: nothing is said
	http [500]uint8 // from 100 on
	grpc [len(grpcStatuses)]uint8
}

// HTTP returns how an answer with this status is judged; said is false where it is
// judged as without a document.
func (o *Outcomes) HTTP(status int) (v Verdict, said bool) {
	if n := uint(status - 100); o != nil && n < uint(len(o.http)) && o.http[n] != 0 {
		return Verdict(o.http[n] - 1), true
	}
	return 0, false
}

// GRPC is HTTP for the number of a gRPC code.
func (o *Outcomes) GRPC(code uint32) (v Verdict, said bool) {
	if n := code - 1; o != nil && n < uint32(len(o.grpc)) && o.grpc[n] != 0 {
		return Verdict(o.grpc[n] - 1), true
	}
	return 0, false
}

func newOutcomes(all []Outcome) *Outcomes {
	if len(all) == 0 {
		return nil
	}
	o := &Outcomes{}
	say := func(of *uint8, v Verdict) {
		if *of == 0 { // the first that lists it wins
			*of = uint8(v) + 1
		}
	}
	for _, outcome := range all {
		v := Verdict(numberOf(verdicts[:], outcome.As))
		for _, text := range outcome.Codes {
			if code := grpcCode(text); code != 0 {
				say(&o.grpc[code-1], v)
				continue
			}
			from, to, _ := httpStatuses(text) // validated
			for status := from; status <= to; status++ {
				say(&o.http[status-100], v)
			}
		}
	}
	return o
}

func (d *decoder) outcome(n *document.Node, o *Outcome) {
	d.object(n, o, func(name string, v *document.Node) bool {
		switch name {
		case "codes":
			each(d, v, &o.Codes, (*decoder).text)
		case "as":
			d.text(v, &o.As)
		default:
			return false
		}
		return true
	})
}

func (c *checker) outcomes(all []Outcome) {
	c.most("outcomes", len(all), MaxOutcomes)
	for n, o := range all {
		c.in("outcomes", n)
		c.codes("codes", o.Codes, func(text string) bool {
			_, _, ok := httpStatuses(text)
			return ok || grpcCode(text) != 0
		}, `HTTP statuses from "100" to "599", ranges of them such as "500-599"`)
		if o.As == "" {
			c.badField("as", `""`, "allowed are success, failure, overload, neutral")
		}
		c.oneOf("as", o.As, verdicts[:]...)
		c.out()
	}
}
