//go:build !linux || !amd64

package wallclock

import "errors"

// Supported says whether [Take] works here.
const Supported = false

// Take returns an error here.
func Take() error { return errors.ErrUnsupported }
