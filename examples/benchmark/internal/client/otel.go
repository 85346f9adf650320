package client

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"
)

// otelHTTP is plain with OpenTelemetry's instrumentation of net/http.
func otelHTTP(a Assignment, sdk telemetry) (httpClient, error) {
	c, err := plainHTTP(a, sdk)
	c.transport = sdk.roundTripper(c.transport)
	return c, err
}

func (t telemetry) roundTripper(base http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(base, otelhttp.WithMeterProvider(t.meters), otelhttp.WithTracerProvider(t.tracers))
}

// otelGRPC is round robin with OpenTelemetry's instrumentation of gRPC.
func otelGRPC(a Assignment, sdk telemetry) (grpcClient, error) {
	return dialList(a, grpc.WithDefaultServiceConfig(roundRobin), sdk.statsHandler())
}

func (t telemetry) statsHandler() grpc.DialOption {
	return grpc.WithStatsHandler(otelgrpc.NewClientHandler(
		otelgrpc.WithMeterProvider(t.meters), otelgrpc.WithTracerProvider(t.tracers)))
}
