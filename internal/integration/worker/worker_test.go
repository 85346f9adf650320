package worker_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

func TestMain(m *testing.M) {
	worker.Play(map[string]worker.Role{
		"adder": worker.Given(func(base int) (worker.Answers, error) {
			if base < 0 {
				return nil, errors.New("base is negative")
			}
			os.Stdout.WriteString("not an answer\n")
			return worker.Answers{
				"add":  worker.To(func(n int) (any, error) { return base + n, nil }),
				"fail": worker.To(func(string) (any, error) { return nil, errors.New("as told") }),
				"hang": worker.To(func(string) (any, error) { <-time.After(time.Hour); return nil, nil }),
			}, nil
		}),
	})
	os.Exit(m.Run())
}

func TestAChildAnswersWhatItIsAsked(t *testing.T) {
	p, err := worker.Start(t.Context(), "adder", 40)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var sum int
	if err := p.Ask(t.Context(), "add", 2, &sum); err != nil || sum != 42 {
		t.Errorf("add: %d, %v", sum, err)
	}
	for question, want := range map[string]string{"fail": "as told", "multiply": `cannot be asked "multiply"`} {
		if err := p.Ask(t.Context(), question, "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", question, err, want)
		}
	}
	if u, err := p.Usage(t.Context()); err != nil || u.CPU <= 0 {
		t.Errorf("usage: %+v, %v", u, err)
	}
}

func TestAChildThatCannotStartSaysWhy(t *testing.T) {
	if _, err := worker.Start(t.Context(), "adder", -1); err == nil || !strings.Contains(err.Error(), "base is negative") {
		t.Errorf("Start: %v", err)
	}
	if _, err := worker.Start(t.Context(), "nobody", 0); err == nil {
		t.Error("a role that does not exist was started")
	}
}

func TestAChildThatDoesNotAnswerIsKilled(t *testing.T) {
	p, err := worker.Start(t.Context(), "adder", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Ask(ctx, "hang", "", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
	if err := p.Ask(t.Context(), "add", 1, nil); err == nil {
		t.Error("a killed worker answered")
	}
}
