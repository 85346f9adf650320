package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Behaviour is how an instance treats calls.
type Behaviour struct {
	Work time.Duration // on each call
	// Rare is one call in how many that takes RareWork instead. 0: none does.
	Rare     int
	RareWork time.Duration
	// Status is what it answers with, and executes nothing: 500, or INTERNAL over
	// gRPC; 503, or UNAVAILABLE. 0: it executes.
	Status int
	// RetryAfter, in seconds, is said with the status over HTTP. 0: nothing is.
	RetryAfter int
}

// RareAnswer is the answer to a call that was one of the rare, in place of the ID of
// the instance.
const RareAnswer = "rare"

// length is how long one call takes, and whether it is one of the rare.
func (b *Behaviour) length() (d time.Duration, rare bool) {
	if b.Rare > 0 && rand.IntN(b.Rare) == 0 {
		return b.RareWork, true
	}
	return b.Work, false
}

// Behave makes the instance treat calls in another way from now on. It is for
// instances without TLS, and may be called from any goroutine.
func (i *Instance) Behave(ctx context.Context, b Behaviour) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return i.command(ctx, "behave", body)
}

// Jump sets the wall clock of the instance forward by some time, or back. It may be
// called from any goroutine.
func (i *Instance) Jump(ctx context.Context, by time.Duration) error {
	return i.command(ctx, "jump?by="+by.String(), nil)
}

func (i *Instance) command(ctx context.Context, what string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.control+"/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Close = true // leave nothing behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %s: %s", i.ID, what, resp.Status)
	}
	return nil
}

// behave is the instance's end of it.
func (i *instance) behave(w http.ResponseWriter, r *http.Request) {
	var b Behaviour
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.behaviour.Store(&b)
}
