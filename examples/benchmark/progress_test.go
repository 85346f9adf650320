package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

func TestProgressTellsWhatIsLeft(t *testing.T) {
	p := plan{pairs: 10, duration: 900 * time.Millisecond}
	one := trial{Scenario: scenario.Scenario{Protocol: scenario.GRPC}, lanes: make([]*lane, 6)}
	var said bytes.Buffer
	tell := newProgress(&said, p, []trial{one, one})
	if got := tell.left(0); got != 2*time.Minute {
		t.Errorf("%v left at first, want what is planned: 2m", got)
	}
	tell.begins(one)
	for range 60 {
		tell.ran(one, 0)
	}
	if got := tell.left(time.Minute); got != time.Minute {
		t.Errorf("%v left after half of it, want 1m", got)
	}
	if got := tell.left(2 * time.Minute); got < 100*time.Second || got > 2*time.Minute {
		t.Errorf("%v left where half of it took twice as long, want nearly 2m", got)
	}
	tell.begins(one)
	if got := strings.Count(said.String(), "\n"); got != 3 || !strings.Contains(said.String(), "2 of 2: grpc") || !strings.HasPrefix(said.String(), "2 scenarios with 12 lanes, 10 rounds: about 2m0s\n") {
		t.Errorf("said %d lines where two scenarios began:\n%s", got, &said)
	}
}
