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
		first, end := bubble.Goroutines(), make(chan bool)
		go func() { <-end }()
		if got := bubble.Goroutines() - first; got != 1 {
			t.Errorf("%d more with another", got)
		}
		close(end)
		synctest.Wait()
		if got := bubble.Goroutines() - first; got != 0 {
			t.Errorf("%d more when that has ended", got)
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
