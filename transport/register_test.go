package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

func TestRegisterIsSeenAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m := newMesh(t, fleet)
		r, err := m.Register(t.Context(), fairleadtest.Instances("orders", "me")[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := m.Dump().Registrations; len(d) != 1 || d[0].ID != "me" || !d[0].Registered {
			t.Errorf("the dump says %+v", d)
		}
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Error(err)
		}
		fleet.Fail(errDown)
		r.Update(r.Instance())
		if err := r.Close(canceled()); err == nil {
			t.Error("withdrawn from a registry that is down")
		}
		if d := m.Dump().Registrations; len(d) != 0 {
			t.Errorf("after its Close the dump says %+v", d)
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestRegisterNeedsARegistrar(t *testing.T) {
	static, err := discovery.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newMesh(t, static).Register(t.Context(), fairleadtest.Instances("orders", "me")[0]); err != transport.ErrNoRegistrar {
		t.Errorf("error is %v", err)
	}
}

func TestRegisterPassesOnWhatIsWrong(t *testing.T) {
	m := newMesh(t, orders())
	if _, err := m.Register(t.Context(), discovery.Instance{Service: "orders", Addr: "nowhere"}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
	if d := m.Dump().Registrations; len(d) != 0 {
		t.Errorf("the dump says %+v", d)
	}
}

// slow is a registrar that takes its time.
type slow struct{ *fairleadtest.Fleet }

func (s slow) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	time.Sleep(time.Minute)
	return s.Fleet.Register(ctx, i)
}

// A registration that comes about while the mesh closes is withdrawn again.
func TestRegisterWhileTheMeshCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m, other := newMesh(t, slow{fleet}), newMesh(t, fleet)
		failed := make(chan error)
		go func() {
			_, err := m.Register(t.Context(), fairleadtest.Instances("orders", "me")[0])
			failed <- err
		}()
		synctest.Wait()
		m.Close(t.Context())
		if err := <-failed; !errors.Is(err, transport.ErrClosed) {
			t.Errorf("error is %v", err)
		}
		knowing(t, other)
		if s := service(t, other); len(s.Instances) != 0 {
			t.Errorf("it is still there: %+v", s.Instances)
		}
	})
}
