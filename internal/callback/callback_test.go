package callback_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/internal/callback"
)

func TestPanics(t *testing.T) {
	tests := []struct {
		name     string
		between  time.Duration
		panics   int
		disabled bool
	}{
		{"two are survived", 0, 2, false},
		{"three within a minute are enough", 29 * time.Second, 3, true},
		{"three in more than a minute are not", 31 * time.Second, 3, false},
		{"nor are many that are far apart", 31 * time.Second, 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &callback.Callback{Name: "judge", Logger: slog.New(slog.DiscardHandler)}
				for range tt.panics {
					if c.Run(func() { panic("no") }) {
						t.Fatal("a panic is no end")
					}
					time.Sleep(tt.between)
				}
				ran := false
				ended := c.Run(func() { ran = true })
				if c.Disabled() != tt.disabled || ran == tt.disabled || ended == tt.disabled || c.Panics() != int64(tt.panics) {
					t.Errorf("disabled %t, ran %t, ended %t, after %d panics", c.Disabled(), ran, ended, c.Panics())
				}
			})
		})
	}
}

func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	c := &callback.Callback{Name: "judge", Logger: slog.New(slog.NewTextHandler(&log, nil))}
	c.Run(func() { panic("out of ideas") })
	for _, want := range []string{"judge", "out of ideas", "TestPanicIsLogged"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log.String())
		}
	}
}

// runtime.Goexit, which FailNow of a test calls, ends the goroutine for good: it is
// counted, and is nobody's to stop.
func TestGoexitIsCounted(t *testing.T) {
	c := &callback.Callback{Name: "judge", Logger: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(runtime.Goexit)
	}()
	<-done
	if c.Panics() != 1 {
		t.Errorf("%d panics", c.Panics())
	}
}
