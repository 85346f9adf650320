package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/program"
)

func TestMain(m *testing.M) { program.Main(m, main) }

// That verdicts can fail, the program shows by itself: without limits they would.
func TestLimitsKeepWhatTheyPromise(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := program.Command(ctx, "-once", "-json", "-out", folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
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
	if code := cmd.ProcessState.ExitCode(); !got.OK || code != 0 {
		t.Errorf("ok is %t, exit code %d", got.OK, code)
	}
	names := []string{}
	for _, s := range got.Steps {
		names = append(names, s.Name)
		if (s.Figures != nil) != (s.Name == "without" || s.Name == "with") {
			t.Errorf("figures of %s: %+v", s.Name, s.Figures)
		}
	}
	if all := strings.Join(names, " "); all != "without with calm goodput critical shed withheld queue pressure recovery" {
		t.Errorf("verdicts on: %s", all)
	}
	wellFormed(t, filepath.Join(folder, "overload.svg"))
}

// wellFormed reads a drawing as XML.
func wellFormed(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for d := xml.NewDecoder(f); ; {
		is, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := is.(xml.StartElement); ok && e.Name.Local == "path" {
			lines++
		}
	}
	if lines < 20 {
		t.Errorf("the drawing has %d lines", lines)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	out, err := program.Command(t.Context(), "now").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), "now") {
		t.Errorf("%v, %s", err, out)
	}
}

// Each kind of call has its share of any twenty in a row.
func TestKindsOfCalls(t *testing.T) {
	for first := range 40 {
		var many [len(kinds)]int
		for n := first; n < first+20; n++ {
			many[kindOf(n)]++
		}
		for k, kind := range kinds {
			if many[k] != kind.many {
				t.Errorf("from call %d on, %d of %s, want %d", first, many[k], kind.path, kind.many)
			}
		}
	}
}

// A run is judged by its figures, and each verdict can fail.
func TestVerdictsCanFail(t *testing.T) {
	soon, late := 1.0, 7.0
	good := figures{
		Calls: int(planned()), Goodput: 0.95, Critical: 1, Default: 0.2, Sheddable: 0.01, Withheld: int(planned()) / 2, WithheldP50: 30,
		Calm: 1, CalmP99: 110, Recovered: &soon, InHand: 40, Pressure: 1, Relief: 0.2,
	}
	failed := func(f figures) (names []string) {
		for _, s := range judge(f) {
			if !s.OK {
				names = append(names, s.Name)
			}
		}
		return names
	}
	if got := failed(good); got != nil {
		t.Errorf("of a good run failed: %v", got)
	}
	if collapsed(good).OK {
		t.Error("a run without limits that keeps what they promise shows nothing, and passes")
	}
	for _, c := range []struct {
		want  string
		spoil func(*figures)
	}{
		{"with", func(f *figures) { f.Calls /= 2 }},
		{"calm", func(f *figures) { f.Calm = 0.7 }},
		{"goodput", func(f *figures) { f.Goodput = 0.79 }},
		{"critical", func(f *figures) { f.Critical = 0.98 }},
		{"shed", func(f *figures) { f.Default, f.Sheddable = 0.1, 0.3 }},
		{"withheld", func(f *figures) { f.Withheld = 100 }},
		{"withheld", func(f *figures) { f.WithheldP50 = 20_000 }},
		{"queue", func(f *figures) { f.InHand = 9000 }},
		{"pressure", func(f *figures) { f.Pressure, f.Relief = 0.1, 0.1 }},
		{"recovery", func(f *figures) { f.Recovered = &late }},
		{"recovery", func(f *figures) { f.Recovered = nil }},
	} {
		f := good
		c.spoil(&f)
		if got := failed(f); len(got) != 1 || got[0] != c.want {
			t.Errorf("failed: %v, want %s", got, c.want)
		}
	}
}
