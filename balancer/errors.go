package balancer

import "errors"

// ErrNoInstances says that there is nobody to call: the service has no
// instances, or none that speaks the protocol.
var ErrNoInstances = errors.New("no instances")
