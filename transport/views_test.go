package transport_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// follow collects how many instances each view has, taking its time for each.
// It stops when the views do.
func follow(t *testing.T, ctx context.Context, m *transport.Mesh, pause time.Duration) <-chan []int {
	t.Helper()
	views, err := m.Views(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan []int, 1)
	go func() {
		var sizes []int
		for v := range views {
			sizes = append(sizes, len(v.Nodes))
			time.Sleep(pause)
		}
		seen <- sizes
	}()
	synctest.Wait()
	return seen
}

func TestViewsYieldTheCurrentAndEachNewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		seen := follow(t, t.Context(), m, 0)
		for i := range 3 {
			fleet.Add(fairleadtest.Instances("orders", fmt.Sprint(i))...)
			synctest.Wait()
		}
		m.Close(t.Context())
		if got := <-seen; !slices.Equal(got, []int{1, 2, 3, 4}) {
			t.Errorf("saw %v", got)
		}
	})
}

// Latest wins: a slow reader misses views between, never the last.
func TestASlowReaderSeesTheLastView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		seen := follow(t, t.Context(), m, time.Minute)
		for i := range 10 {
			fleet.Add(fairleadtest.Instances("orders", fmt.Sprint(i))...)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		m.Close(t.Context())
		if got := <-seen; !slices.Equal(got, []int{1, 11}) {
			t.Errorf("saw %v", got)
		}
	})
}

// There is no view before there is a list.
func TestViewsBeginWithTheFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := make(scripted)
		m := newMesh(t, registry)
		seen := follow(t, t.Context(), m, 0)
		registry.say(snapshotOf(discovery.Cold), errDown)
		time.Sleep(time.Minute)
		registry.say(snapshotOf(discovery.Live), nil)
		synctest.Wait()
		m.Close(t.Context())
		if got := <-seen; !slices.Equal(got, []int{3}) {
			t.Errorf("saw %v", got)
		}
	})
}

func TestViewsEnd(t *testing.T) {
	t.Run("with their context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			seen := follow(t, ctx, newMesh(t, orders("a")), 0)
			cancel()
			<-seen
		})
	})
	t.Run("with the mesh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMesh(t, make(scripted))
			seen := follow(t, t.Context(), m, 0)
			m.Close(t.Context())
			<-seen
		})
	})
	t.Run("when the loop is left", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { knowing(t, newMesh(t, orders("a"))) })
	})
}

func TestViewsRefuseABadName(t *testing.T) {
	if _, err := newMesh(t, orders()).Views(t.Context(), "Orders"); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}
