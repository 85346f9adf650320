package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// patient is an attempt that takes as long as it may.
type patient struct{ m *transport.Mesh }

func (p patient) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	lease, err := p.m.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	<-ctx.Done()
	o := transport.Outcome{Class: transport.Timeout, Err: ctx.Err(), Sent: true}
	lease.Done(o)
	return o
}

// What code gives a call holds where no rule says otherwise, and says so.
func TestWithTimeout(t *testing.T) {
	for _, c := range []struct {
		name   string
		ruled  time.Duration
		stream bool
		want   time.Duration
		says   string
	}{
		{"Code", 0, false, time.Second, "a call to orders is given 1s"},
		{"RuleComesFirst", 3 * time.Second, false, 3 * time.Second, "the rules of orders give it 3s"},
		{"NoStream", 0, true, time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ordersPolicy()
				p.Spec.Timeout = rule.Duration(c.ruled)
				m := obeying(t, versions("v1-a"), p, transport.WithTimeout(time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				call := get()
				call.Stream = c.stream
				began := time.Now()
				err := m.Do(ctx, call, patient{m})
				if took := time.Since(began); took != c.want || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("after %v the call ended with %v", took, err)
				}
			})
		})
	}
	if _, err := transport.New(new(discovery.Memory), transport.WithTimeout(-1)); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("a negative timeout: %v", err)
	}
}
