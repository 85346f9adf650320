package rule

import (
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// Bounds of a document. They keep what anybody who may write to the registry
// can cost every process that reads it small.
const (
	MaxBytes      = 256 << 10
	MaxDepth      = 16
	MaxSubsets    = 100
	MaxRoutes     = 256
	MaxFilters    = 16
	MaxConditions = 1000 // of all that has a match together
	MaxPriorities = 16
	MaxOutcomes   = 100
	// MaxLimits and MaxConcurrency bound the lists of clients and those of servers,
	// each.
	MaxLimits      = 32
	MaxConcurrency = 8
	MaxCodes       = 256     // of one list
	MaxValue       = 4 << 10 // bytes of the value that a caller gets
	MaxLabels      = 64      // of a subset
	MaxText        = 256     // bytes of a name, label, text to match, or pattern
	// MaxPatternSteps bounds the program of one pattern, MaxSteps those of all.
	MaxPatternSteps = 1000
	MaxSteps        = 10_000

	MinTimeout  = time.Millisecond
	MaxTimeout  = time.Hour
	MinInterval = 100 * time.Millisecond // from one probe of an instance to the next
	MaxDelay    = time.Minute            // of a fault
	MaxBackoff  = time.Minute            // before an attempt
	MaxAttempts = retry.MostAttempts
)
