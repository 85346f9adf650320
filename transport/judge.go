package transport

import (
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// Answer is what a server answered, for a judge to look at.
type Answer struct {
	Service, Method string
	Instance        string // its ID
	Protocol        discovery.Protocol
	// Code is the status of HTTP, or the number of a gRPC code.
	Code int
	// Err is the error of gRPC, with the status and its details; nil over HTTP.
	Err error
	// Header returns the first value of a header of the answer, or of the trailer
	// of gRPC.
	Header func(name string) string
}

// Judge says how an answer is to be judged, of which class says how it would be,
// by the table of its protocol and the rules. See [WithJudge].
type Judge func(a Answer, class Class) Class

// WithJudge has code say what answers mean: that a 200 is a failure whose header
// says so, or a 404 nothing unusual. It is asked for every answer of a server, and
// not where there was none. What it makes of one goes for retries, breakers,
// ejection and metrics alike. A judge that panics has said nothing; one that did
// so three times within a minute is not asked any more.
func WithJudge(j Judge) Option { return func(o *options) { o.judge = j } }

// Judge returns the class of an answer, which the table of its protocol gave: as
// the rules have it, and then code.
func (c *Call) Judge(class Class, a Answer) Class {
	if o := c.plan.outcomes; o != nil {
		verdict, said := o.HTTP(a.Code)
		if c.Protocol == discovery.GRPC {
			verdict, said = o.GRPC(uint32(a.Code))
		}
		if said {
			class = classes[verdict]
		}
	}
	m := c.service.mesh
	if m.options.judge == nil {
		return class
	}
	a.Service, a.Method, a.Protocol, a.Instance = c.Service, c.Method, c.Protocol, c.Instance()
	judged := class
	m.judging.Run(func() { judged = m.options.judge(a, class) })
	if judged < numberOfClasses {
		class = judged
	}
	return class
}

// Judges reports whether anything but the table of the protocol has a say.
func (c *Call) Judges() bool { return c.plan.outcomes != nil || c.service.mesh.options.judge != nil }

var classes = [...]Class{rule.Success: Success, rule.Failure: Failure, rule.Overload: Overload, rule.Neutral: Neutral}
