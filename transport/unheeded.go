package transport

import (
	"iter"
	"slices"

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
	for route, f := range redirections(spec) {
		if !slices.Contains(o.fallbacks, f.Service) {
			fields = append(fields, route+"onFailure.service: code does not allow "+f.Service+", see transport.WithFallbackServices")
		}
	}
	if g := spec.Gateway; g != nil && !g.Off && !o.allowsGateway(g.Service) {
		fields = append(fields, "gateway.service: code does not allow "+g.Service+", see transport.WithGateway")
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

// redirections yields what a document says of other services that calls may go to,
// with the place in it.
func redirections(spec *rule.Spec) iter.Seq2[string, *rule.OnFailure] {
	return func(yield func(string, *rule.OnFailure) bool) {
		if f := spec.OnFailure; f != nil && f.Service != "" && !yield("", f) {
			return
		}
		for _, r := range spec.Routes {
			if f := r.OnFailure; f != nil && f.Service != "" && !yield("route "+r.Name+": ", f) {
				return
			}
		}
	}
}
