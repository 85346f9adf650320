package transport

import "github.com/fairlead-go/fairlead/ratelimit"

// quotas are this process's parts of the limits that all clients of a service
// share.
type quotas struct{}

// quotasOf returns those of a service.
func (m *Mesh) quotasOf(*service) *quotas { return &quotas{} }

// renewLocked makes these the shared limits, by name.
func (*quotas) renewLocked(map[string]ratelimit.RateConfig) {}

// bucket returns that of a shared limit, nil if there is none of that name.
func (*quotas) bucket(string) *ratelimit.Bucket { return nil }
