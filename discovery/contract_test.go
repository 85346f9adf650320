package discovery_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
)

func TestStaticKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			r, err := discovery.NewStatic(instances...)
			if err != nil {
				t.Fatal(err)
			}
			return discoverytest.Fixture{Registry: r}
		},
	})
}

func TestMemoryKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			m := new(discovery.Memory)
			t.Cleanup(m.Close)
			return discoverytest.Fixture{Registry: m, Registrar: m, Writer: discoverytest.Through(t, m, instances...)}
		},
	})
}

func TestFileKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			f := openFile(t, discovery.FileConfig{Dir: t.TempDir(), Interval: 10 * time.Millisecond})
			return discoverytest.Fixture{Registry: f, Registrar: f, Writer: discoverytest.Through(t, f, instances...)}
		},
	})
}

// openFile returns a registry that is closed with the test.
func openFile(t *testing.T, config discovery.FileConfig) *discovery.File {
	t.Helper()
	config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	f, err := discovery.NewFile(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}
