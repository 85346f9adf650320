package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

// result is the last line of a run with -json.
type result struct {
	OK    bool
	Steps []step
}

func TestCanaryGoesThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	got, code := play(t)
	if !got.OK || code != 0 || len(got.Steps) != 8 {
		t.Errorf("ok is %v with %d steps, exit code %d", got.OK, len(got.Steps), code)
	}
	for _, v := range got.Steps {
		if v.Calls < 500 {
			t.Errorf("step %s: %d calls prove nothing", v.Name, v.Calls)
		}
	}
}

// A verdict that cannot fail says nothing: each sabotage must fail.
func TestSabotageFails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	for _, sabotage := range sabotages {
		t.Run(sabotage, func(t *testing.T) { // one after the other: each makes 800 calls a second
			got, code := play(t, "-sabotage", sabotage)
			if got.OK || code == 0 {
				t.Errorf("ok is %v, exit code %d", got.OK, code)
			}
			for _, v := range got.Steps {
				if sabotage == "strict" && v.Name != "down" && !v.OK {
					t.Errorf("step %s failed: %+v", v.Name, v)
				}
			}
		})
	}
}

// play runs the program. Two seconds a step are some 1,600 calls.
func play(t *testing.T, args ...string) (result, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := program.Command(ctx, append([]string{"-once", "-json", "-settle", "2s"}, args...)...)
	var said, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &trouble
	err := cmd.Run()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s%s", said.String(), trouble.String())
	lines := bytes.Split(bytes.TrimSpace(said.Bytes()), []byte("\n"))
	var r result
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		t.Fatalf("the last line is no JSON: %v", err)
	}
	return r, code
}
