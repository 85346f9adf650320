package transport

import (
	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// unheeded lists what a document says and this process cannot do, because its
// code does not say what only code can, or because the algorithm leaves no room
// for it.
func (o *options) unheeded(spec *rule.Spec, b balancer.Balancing) (fields []string) {
	if h := spec.HealthCheck; h != nil && !h.Off && o.health == nil {
		fields = append(fields, "healthCheck: code does not say by what to probe, see transport.WithHealthCheck")
	}
	l := &spec.LoadBalancer
	near := l.LocalityPreference == "zone" || l.LocalityPreference == "region"
	if near && b.Locality.Region == "" && (b.Locality.Zone == "" || l.LocalityPreference == "region") {
		fields = append(fields, "loadBalancer.localityPreference: code does not say where this process is, see transport.WithLocality")
	}
	if k, ok := b.Policy.(interface{ Keyed() bool }); ok && k.Keyed() {
		if near {
			fields = append(fields, "loadBalancer.localityPreference: with "+b.Policy.String()+", a key is at the same place for all")
		}
		if l.SubsetSize > 0 {
			fields = append(fields, "loadBalancer.subsetSize: with "+b.Policy.String()+", a key is at the same place for all")
		}
	}
	return fields
}
