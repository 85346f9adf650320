package bubble_test

import (
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/internal/bubble"
)

func TestOnlyTheGoroutinesOfTheBubbleCount(t *testing.T) {
	outside := make(chan bool)
	defer close(outside)
	go func() { <-outside }()
	synctest.Test(t, func(t *testing.T) {
		if got := bubble.Goroutines(); got != 1 {
			t.Errorf("%d at first, want 1", got)
		}
		end := make(chan bool)
		go func() { <-end }()
		if got := bubble.Goroutines(); got != 2 {
			t.Errorf("%d with another, want 2", got)
		}
		close(end)
		synctest.Wait()
		if got := bubble.Goroutines(); got != 1 {
			t.Errorf("%d when that has ended, want 1", got)
		}
	})
}

func TestOutsideOfABubbleItPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it counted goroutines outside of a bubble")
		}
	}()
	bubble.Goroutines()
}
