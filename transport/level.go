package transport

import (
	"fmt"

	"github.com/fairlead-go/fairlead/discovery"
)

// Level is how much a mesh measures.
type Level uint8

const (
	// Metrics, the default: counters and gauges, and every 64th pick timed.
	Metrics Level = iota
	// Off: nothing is counted. What balancing measures stays, and logs stay.
	Off
	// Full: metrics, and a span per call and per attempt.
	Full
)

var levelNames = [...]string{"metrics", "off", "full"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

func (l Level) validate() error {
	if l > Full {
		return &discovery.FieldError{Field: "telemetry level", Value: uint8(l), Allowed: "Metrics, Off or Full"}
	}
	return nil
}
