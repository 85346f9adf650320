package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// record reads durations from a file, one a line, and makes them the work of all
// scenarios.
func (o *options) record(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-work %q: %w", file, err)
	}
	var recorded []time.Duration
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		d, err := time.ParseDuration(line)
		if err != nil || d < 0 || d > time.Hour {
			return fmt.Errorf("-work %q: line %d is %q: allowed are durations from 0s to 1h, such as 12.5ms", file, number, line)
		}
		recorded = append(recorded, d)
	}
	if len(recorded) == 0 {
		return fmt.Errorf("-work %q: it is empty: allowed is at least one line", file)
	}
	for i := range o.scenarios {
		o.scenarios[i].Change(func(p *sim.Plan) { p.Work = sim.Work{Recorded: recorded} })
	}
	return nil
}
