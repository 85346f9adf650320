package fairhttp_test

import (
	"net/http"
	"testing"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// panics is a base with a bug.
type panics struct{}

func (panics) RoundTrip(*http.Request) (*http.Response, error) { panic("a bug of the base") }

// A panic of the base is the caller's to see, and net/http's servers survive it in
// their handlers. So the attempt has ended.
func TestPanicOfTheBaseLeavesNothingInFlight(t *testing.T) {
<<<<<<< HEAD
	t.Skip("fails: the lease of an attempt whose base panics is never done")
=======
>>>>>>> main
	s := newService(t, "127.0.0.1:1")
	client, _ := s.client(t, fairhttp.Config{}, panics{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is swallowed")
			}
		}()
		client.Get("mesh://orders/")
	}()
	if n := s.outstanding(); n != 0 {
		t.Errorf("%d attempts are in flight", n)
	}
}
