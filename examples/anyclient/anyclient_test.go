package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

func TestCommandsGoWhereTheyAreServed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	ok, steps, code := play(t)
	if !ok || code != 0 || len(steps) != 5 {
		t.Errorf("ok is %v with %d steps, exit code %d", ok, len(steps), code)
	}
}

// A verdict that cannot fail says nothing: each sabotage must fail the step
// that shows what was switched off, and none before it.
func TestSabotageFails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	t.Parallel()
	for _, sabotage := range sabotages {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			ok, steps, code := play(t, "-sabotage", sabotage)
			if ok || code != 1 {
				t.Errorf("ok is %v, exit code %d", ok, code)
			}
			for _, v := range steps {
				if early := v.Name == "weight" || v.Name == "mistakes"; early != v.OK && (early || v.Name == "eject") {
					t.Errorf("step %s: %+v", v.Name, v)
				}
			}
		})
	}
}

func TestJudge(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name string
		ctx  context.Context
		err  error
		want balancer.Result
	}{
		{"an answer", t.Context(), nil, balancer.Success},
		{"an answer after all", cancelled, nil, balancer.Success},
		{"the caller's mistake", t.Context(), replyError("ERR unknown command"), balancer.Success},
		{"it is loading", t.Context(), replyError("LOADING dataset"), balancer.Failure},
		{"it is a replica", t.Context(), replyError("READONLY replica"), balancer.Failure},
		{"nobody listens", t.Context(), &dialError{errors.New("refused")}, balancer.Unreachable},
		{"the caller gave up", cancelled, errors.New("i/o timeout"), balancer.Neutral},
		{"the caller gave up while it dialled", cancelled, &dialError{errors.New("canceled")}, balancer.Neutral},
		{"the connection broke", t.Context(), errors.New("EOF"), balancer.Failure},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := judge(row.ctx, row.err); got != row.want {
				t.Errorf("judged as %d, want %d", got, row.want)
			}
		})
	}
}

// play runs the program.
func play(t *testing.T, args ...string) (ok bool, steps []step, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := program.Command(ctx, append([]string{"-once", "-json"}, args...)...)
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	t.Logf("%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var got struct {
		OK    bool
		Steps []step
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("the last line is no verdict: %v", err)
	}
	return got.OK, got.Steps, cmd.ProcessState.ExitCode()
}
