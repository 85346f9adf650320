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
	MaxConditions = 1000 // of all matches together
	MaxLabels     = 64   // of a subset
	MaxText       = 256  // bytes of a name, label, text to match, or pattern
	MinTimeout    = time.Millisecond
	MaxTimeout    = time.Hour
	MaxAttempts   = retry.MostAttempts
)
