package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"

	"github.com/fairlead-go/fairlead/transport"
)

func TestErrorText(t *testing.T) {
	cause := errors.New("connection reset")
	tests := []struct {
		name string
		err  transport.Error
		want string
	}{
		{"nobody", transport.Error{Stage: transport.StagePick, Service: "orders", Err: cause}, "fairlead: orders: pick: connection reset"},
		{"one attempt", transport.Error{Stage: transport.StageSend, Service: "orders", Method: "GET", Instance: "i7", Attempts: 1, Err: cause},
			"fairlead: orders GET: send, instance i7: connection reset"},
		{"several, maybe executed", transport.Error{Stage: transport.StageSend, Service: "orders", Method: "GET", Instance: "i7", Attempts: 3, MaybeExecuted: true, Err: cause},
			"fairlead: orders GET: send, instance i7, 3 attempts, maybe executed: connection reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !errors.Is(&tt.err, cause) {
				t.Error("the cause is not wrapped")
			}
		})
	}
}

// http.Client and others ask a net.Error whether time ran out.
func TestErrorTimeout(t *testing.T) {
	tests := []struct {
		name string
		err  transport.Error
		want bool
	}{
		{"by class", transport.Error{Class: transport.Timeout, Err: errors.New("x")}, true},
		{"by cause", transport.Error{Class: transport.Lost, Err: context.DeadlineExceeded}, true},
		{"cancelled", transport.Error{Class: transport.Neutral, Err: context.Canceled}, false},
		{"lost", transport.Error{Class: transport.Lost, Err: errors.New("x")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err net.Error = &tt.err
			if err.Timeout() != tt.want || tt.err.Temporary() != tt.want {
				t.Errorf("got %t", err.Timeout())
			}
		})
	}
}

func TestClassesAndLevelsHaveNames(t *testing.T) {
	got, err := json.Marshal([]transport.Class{transport.Neutral, transport.Success, transport.Failure, transport.Overload, transport.Timeout, transport.Lost, 99})
	if want := `["neutral","success","failure","overload","timeout","lost","unknown"]`; err != nil || string(got) != want {
		t.Errorf("classes are %s, %v", got, err)
	}
	for level, want := range map[transport.Level]string{transport.Metrics: "metrics", transport.Off: "off", transport.Full: "full", 9: "Level(9)"} {
		if got := level.String(); got != want {
			t.Errorf("level is %q, want %q", got, want)
		}
	}
}
