package fairgrpc_test

import (
	"errors"
	"io"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/transport"
)

// At every level of telemetry the picker finds the call, also through the
// contexts that spans put around it.
func TestTelemetryLevels(t *testing.T) {
	for _, level := range []transport.Level{transport.Off, transport.Metrics, transport.Full} {
		t.Run(level.String(), func(t *testing.T) {
			w := newWorld(t, transport.WithTelemetry(level), transport.WithTracerProvider(noop.NewTracerProvider()))
			all := []*backend{start(t, "a"), start(t, "b"), start(t, "c")}
			dieFor("die", all...)
			w.announce(all...)
			conn := w.dial()
			warm(t, conn, all...)
			_, err := call(within(t), conn, get, "die")
			if own, ok := errors.AsType[*transport.Error](err); !ok || own.Attempts != 3 {
				t.Errorf("error is %v", err)
			}
			for _, b := range all {
				if got := b.executed.Load(); got != 1 {
					t.Errorf("instance %s executed the call %d times", b.id, got)
				}
			}
			warm(t, conn, all...)
			s, err := open(within(t), conn, chat)
			if err != nil {
				t.Fatal(err)
			}
			_ = s.CloseSend()
			if err := s.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}
