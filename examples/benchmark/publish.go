package main

import (
	"errors"
	"io"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/internal/environment"
)

// begun is a report without results.
func (p plan) begun() *report.Report {
	return &report.Report{
		Environment: environment.Read("google.golang.org/grpc", "github.com/sony/gobreaker/v2", "go.opentelemetry.io/otel",
			"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
			"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"),
		Warnings: p.early(),
	}
}

// publish prints what was found, and writes it where asked for. The error is that of
// the measuring, or of failed calls, or of what could not be written.
func (p plan) publish(found *report.Report, stdout io.Writer, measuring error) error {
	if measuring != nil {
		found.Warnings = append(found.Warnings, "not all was measured: "+measuring.Error())
	}
	var written error
	if p.out != "" {
		written = found.Write(p.out)
	}
	return errors.Join(measuring, found.Print(stdout, p.json), written)
}

// reported are the lanes for the report.
func (t trial) reported() (lanes []*report.Lane) {
	for _, l := range t.lanes {
		lanes = append(lanes, &l.Lane)
	}
	return lanes
}
