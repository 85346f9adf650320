package client

import (
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// OpenMesh opens one that measures nothing and goes by a document.
func OpenMesh(addrs []string, document string) (*transport.Mesh, error) {
	return openMesh(Assignment{Addrs: addrs}, discovery.HTTP, transport.Metrics, telemetry{}, document)
}

// Everything is the document of fairlead-all.
var Everything = everything

// DialWith is [Assignment.Dial] with another SDK, if the variant has one.
func (a Assignment) DialWith(meters *metric.MeterProvider, tracers *trace.TracerProvider) (Caller, error) {
	for _, v := range variants() {
		if v.name == a.Variant && v.measured {
			return v.dialWith(a, telemetry{meters, tracers})
		}
	}
	return a.Dial()
}
