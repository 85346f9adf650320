package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

var (
	errDial    error = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errLost    error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errStrange       = errors.New("strange")
)

func TestDo(t *testing.T) {
	everything := retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.TimedOut | retry.Overload | retry.ServerFailure}
	tests := []struct {
		name     string
		policy   retry.Policy
		options  []retry.Option
		errors   []error // of the attempts; the last one goes on
		attempts int
		err      error // nil: success
	}{
		{"what succeeds is done", retry.Policy{}, nil, []error{nil}, 1, nil},
		{"what never arrived is made again", retry.Policy{}, nil, []error{errDial, errDial, nil}, 3, nil},
		{"three times", retry.Policy{}, nil, []error{errDial}, 3, errDial},
		{"or as often as the policy says", retry.Policy{MaxAttempts: 5}, nil, []error{errDial}, 5, errDial},
		{"what may have been executed is not", retry.Policy{}, nil, []error{errLost}, 1, errLost},
		{"unless it may be twice", retry.Policy{}, []retry.Option{retry.Idempotent()}, []error{errLost, nil}, 2, nil},
		{"an error that says nothing is final", retry.Policy{}, []retry.Option{retry.Idempotent()}, []error{errStrange}, 1, errStrange},
		{"unless the policy is for everything", everything, []retry.Option{retry.Idempotent()}, []error{errStrange, nil}, 2, nil},
		{"which does not make it idempotent", everything, nil, []error{errStrange}, 1, errStrange},
		{"somebody gave up inside", everything, []retry.Option{retry.Idempotent()}, []error{context.Canceled}, 1, context.Canceled},
		{"the caller knows its errors", everything, []retry.Option{retry.JudgedBy(func(err error) retry.Ended {
			return retry.Ended{How: retry.Overload, Idempotent: true, Stop: err == errLost}
		})}, []error{errStrange, errLost}, 2, errLost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b retry.Budget
				attempts := 0
				err := retry.Do(t.Context(), tt.policy, &b, func(context.Context) error {
					attempts++
					return tt.errors[min(attempts, len(tt.errors))-1]
				}, tt.options...)
				if attempts != tt.attempts || err != tt.err {
					t.Errorf("%d attempts, %v; want %d, %v", attempts, err, tt.attempts, tt.err)
				}
				if spent := 100 - b.Remaining(retry.Now()); spent != tt.attempts-1 {
					t.Errorf("the budget paid %d for %d attempts", spent, tt.attempts)
				}
			})
		})
	}
}

func TestDoRefuses(t *testing.T) {
	never := func(context.Context) error { panic("called") }
	names(t, retry.Do(t.Context(), retry.Policy{}, nil, never), []string{"Budget", "is nil", "allowed"})
	names(t, retry.Do(t.Context(), retry.Policy{MaxAttempts: -1}, new(retry.Budget), never), []string{"Policy.MaxAttempts", "-1"})

	why := errors.New("going home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := retry.Do(ctx, retry.Policy{}, new(retry.Budget), never); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("with a context that is over: %v", err)
	}
}

func TestDoIsBoundByTheBudget(t *testing.T) {
	b := newBudget(t, retry.BudgetConfig{MinPerSecond: 0.1})
	process := newBudget(t, retry.BudgetConfig{MinPerSecond: 0.1})
	withdrawAll(process, retry.Now())
	for budget, want := range map[*retry.Budget]struct {
		attempts int
		err      error
	}{
		b: {2, retry.ErrBudgetSpent},
		newChild(t, process, retry.BudgetConfig{}): {1, retry.ErrSharedBudgetSpent},
	} {
		attempts := 0
		err := retry.Do(t.Context(), retry.Policy{}, budget, func(context.Context) error { attempts++; return errDial })
		if attempts != want.attempts || !errors.Is(err, want.err) || !errors.Is(err, errDial) {
			t.Errorf("%d attempts, %v; want %d, %v", attempts, err, want.attempts, want.err)
		}
	}
}

// Two thousand calls that all fail are made again as often as the formula allows.
func TestDoCountsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b retry.Budget
		begun, executions := retry.Now(), 0
		for range 2000 {
			_ = retry.Do(t.Context(), retry.Policy{}, &b, func(context.Context) error { executions++; return errDial })
		}
		if most := 2000*12/10 + 100 + 10*int((retry.Now()-begun)/time.Second+1); executions <= 2400 || executions > most {
			t.Errorf("%d executions of 2000 calls, want no more than %d", executions, most)
		}
	})
}

func TestDoWaits(t *testing.T) {
	slow := retry.Policy{Backoff: retry.BackoffConfig{BaseInterval: time.Hour}}
	after := func(d time.Duration) retry.Option {
		return retry.JudgedBy(func(error) retry.Ended { return retry.Ended{How: retry.ConnectFailure, RetryAfter: d} })
	}
	t.Run("as long as the server asks for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			begun := time.Now()
			err := retry.Do(t.Context(), retry.Policy{MaxAttempts: 2}, new(retry.Budget), func(context.Context) error {
				at = append(at, time.Since(begun))
				return errStrange
			}, after(time.Second))
			if len(at) != 2 || at[1] < time.Second || at[1] > 1500*ms || err != errStrange {
				t.Errorf("attempts at %v, %v", at, err)
			}
		})
	})
	t.Run("not beyond a deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			var b retry.Budget
			err := retry.Do(ctx, retry.Policy{}, &b, func(context.Context) error { return errStrange }, after(time.Second))
			if waited := time.Since(begun); waited != 0 || err != errStrange {
				t.Errorf("%v after %v, want the answer at once", err, waited)
			}
			if left := b.Remaining(retry.Now()); left != 100 {
				t.Errorf("an attempt that was not made was paid for, %d remain", left)
			}
		})
	})
	t.Run("not for a caller that is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			begun := time.Now()
			attempts := 0
			err := retry.Do(ctx, slow, new(retry.Budget), func(context.Context) error { attempts++; return errDial })
			if time.Since(begun) != time.Second || attempts != 2 || !errors.Is(err, context.Canceled) || !errors.Is(err, errDial) {
				t.Errorf("%v after %v and %d attempts", err, time.Since(begun), attempts)
			}
		})
	})
}

func TestDoBoundsEachAttempt(t *testing.T) {
	policy := retry.Policy{On: retry.TimedOut, AttemptTimeout: time.Second}
	hang := func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("hanging: %w", ctx.Err()) }
	t.Run("each for itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			attempts := 0
			err := retry.Do(t.Context(), policy, new(retry.Budget), func(ctx context.Context) error {
				if attempts++; attempts == 3 {
					return ctx.Err()
				}
				return hang(ctx)
			}, retry.Idempotent())
			if took := time.Since(begun); err != nil || attempts != 3 || took < 2*time.Second || took > 2*time.Second+25*ms {
				t.Errorf("%v after %d attempts and %v", err, attempts, took)
			}
		})
	})
	t.Run("and together by the caller", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*ms)
			defer cancel()
			begun := time.Now()
			attempts := 0
			err := retry.Do(ctx, policy, new(retry.Budget), func(ctx context.Context) error { attempts++; return hang(ctx) }, retry.Idempotent())
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || attempts != 2 || took != 1500*ms {
				t.Errorf("%v after %d attempts and %v", err, attempts, took)
			}
		})
	})
	t.Run("with no timer of its own where the caller's is sooner", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for timeout, same := range map[time.Duration]bool{0: true, time.Hour: true, time.Second: false} {
			_ = retry.Do(ctx, retry.Policy{AttemptTimeout: timeout}, new(retry.Budget), func(got context.Context) error {
				if (got == ctx) != same {
					t.Errorf("with %v of a minute left: the caller's own context is %t", timeout, got == ctx)
				}
				return nil
			})
		}
	})
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want retry.Condition
	}{
		{"success", nil, 0},
		{"given up", fmt.Errorf("get: %w", context.Canceled), 0},
		{"given up while dialling", &net.OpError{Op: "dial", Err: context.Canceled}, 0},
		{"nobody listens", fmt.Errorf("get: %w", errDial), retry.ConnectFailure},
		{"nobody is known by that name", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}, retry.ConnectFailure},
		{"nobody answers a dial", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, retry.ConnectFailure},
		{"time was up", fmt.Errorf("get: %w", context.DeadlineExceeded), retry.TimedOut},
		{"time was up for a read", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, retry.TimedOut},
		{"reset", errLost, retry.Reset},
		{"ended early", fmt.Errorf("get: %w", io.ErrUnexpectedEOF), retry.Reset},
		{"ended", io.EOF, retry.Reset},
		{"closed by ourselves", net.ErrClosed, retry.Reset},
		{"anything else", errStrange, retry.ServerFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := retry.Judge(tt.err)
			if got.How != tt.want || got.Idempotent || got.Stop || got.Code != 0 || got.RetryAfter != 0 {
				t.Errorf("got %+v, want %v", got, tt.want)
			}
		})
	}
}

// What the network really says.
func TestJudgeOfRealConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server := <-accepted
	if err := server.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	_, reset := io.ReadAll(c)
	l.Close()
	_, refused := net.Dial("tcp", addr)
	got := []retry.Condition{retry.Judge(reset).How, retry.Judge(refused).How}
	if want := []retry.Condition{retry.Reset, retry.ConnectFailure}; !slices.Equal(got, want) {
		t.Errorf("got %v of %v and %v, want %v", got, reset, refused, want)
	}
}
