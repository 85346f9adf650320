package client

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Caller is a client that is ready to call.
type Caller struct {
	// Worker returns what one goroutine calls with: it makes one call and checks
	// the answer. Where the protocol is a stream, that lives in the context of the
	// call which opened it.
	Worker func() func(context.Context) error
	Close  func() error
}

// Dialer prepares a client for the instances of an assignment.
type Dialer func(Assignment) (Caller, error)

// Dial returns the Dialer of a variant, or nil if it does not speak the
// protocol.
func Dial(name, protocol string) Dialer {
	for _, v := range variants() {
		if v.name == name && v.over(protocol) != nil {
			return v.dial
		}
	}
	return nil
}

// worker is that of a [Caller].
type worker func() func(context.Context) error

// over returns how the variant speaks a protocol, nil if it does not.
func (v variant) over(protocol string) func(Assignment, telemetry) (worker, closers, error) {
	switch protocol {
	case scenario.HTTP1, scenario.HTTP2:
		if v.http != nil {
			return v.overHTTP
		}
	case scenario.GRPC, scenario.GRPCStream:
		return v.overGRPC
	}
	return nil
}

// dial is the Dialer of the variant.
func (v variant) dial(a Assignment) (Caller, error) {
	var sdk telemetry
	if v.measured {
		sdk = newTelemetry()
	}
	return v.dialWith(a, sdk)
}

// dialWith hands over the SDK.
func (v variant) dialWith(a Assignment, sdk telemetry) (Caller, error) {
	workers, end, err := v.over(a.Scenario.Protocol)(a, sdk)
	end = append(end, sdk.Close)
	if err != nil {
		return Caller{}, errors.Join(err, end.Close())
	}
	return Caller{Worker: workers, Close: end.Close}, nil
}

// closers end what a client holds, the first one first.
type closers []func() error

func (c closers) Close() error {
	var errs []error
	for _, end := range c {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// within bounds each call.
func within(time time.Duration, call func(context.Context) error) func(context.Context) error {
	if time == 0 {
		return call
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time)
		defer cancel()
		return call(ctx)
	}
}
