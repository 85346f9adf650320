package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

// result is the last line of a run with -json.
type result struct {
	OK    bool
	Steps []verdict
}

func TestQuickstartPasses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	got, code := play(t, "-once", "-json")
	if !got.OK || code != 0 {
		t.Errorf("ok is %v, exit code %d", got.OK, code)
	}
	for _, step := range stepNames() {
		n := 0
		for _, v := range got.Steps {
			if v.Name == step {
				n++
				if v.Calls == 0 || v.Executions == 0 {
					t.Errorf("step %s: %d calls and %d executions prove nothing", step, v.Calls, v.Executions)
				}
			}
		}
		if n != 2 {
			t.Errorf("step %s has %d verdicts, want one for each protocol", step, n)
		}
	}
}

// A verdict that cannot fail says nothing: each sabotage must fail the step
// that shows what was switched off.
func TestSabotageFails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	shownBy := map[string]string{"retry": "kill", "watch": "add", "ewma": "slow", "heal": "revoke", "drain": "drain"}
	for _, sabotage := range sabotages {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			got, code := play(t, "-once", "-json", "-steps", "steady,"+shownBy[sabotage], "-sabotage", sabotage)
			if got.OK || code == 0 {
				t.Errorf("ok is %v, exit code %d", got.OK, code)
			}
			for _, v := range got.Steps {
				switch v.Name {
				case "steady":
					if !v.OK {
						t.Errorf("%s failed before anything happened: %s", v.Protocol, v.Detail)
					}
				default:
					if v.OK {
						t.Errorf("step %s of %s passed: %s", v.Name, v.Protocol, v.Detail)
					}
				}
			}
		})
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-sabotage", "everything"}, {"-steps", "kill,sleep"}, {"now"}} {
		out, err := program.Command(t.Context(), args...).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), args[len(args)-1]) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}

// play runs the program and returns its verdicts and exit code.
func play(t *testing.T, args ...string) (result, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := program.Command(ctx, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	t.Logf("%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var got result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("the last line is no verdict: %v", err)
	}
	return got, cmd.ProcessState.ExitCode()
}
