package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/internal/openloop"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// called is a call that ended.
type called struct {
	At    time.Duration // when it began, from the beginning of the script
	Took  time.Duration
	Kind  int
	End   ending
	Short bool // the answer
}

// ending is how a call ended.
type ending uint8

const (
	answered ending = iota
	withheld        // refused by a limit of the client, and not sent
	refused         // by a server
	late            // not answered in time
	broken          // anything else
)

// client is one that calls orders, whoever answers.
type client struct {
	mesh  *transport.Mesh
	http  *http.Client
	begin time.Time

	mu   sync.Mutex // guards done
	done []called   // and not told
}

// call runs a client.
func (s spec) call(t *teller) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: []string{s.Etcd}}, Caller: "shop"})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())
	c := &client{mesh: mesh, http: &http.Client{Transport: fairhttp.New(mesh, nil)}}
	if err := c.learn(); err != nil {
		return err
	}
	t.tell(word{Ready: true})
	if c.begin, err = begins(); err != nil {
		return err
	}
	go orphaned()
	go func() { // ends with the process
		for range time.Tick(time.Second / 10) {
			t.tell(c.word())
		}
	}()
	c.run()
	t.tell(c.word())
	if s.Verbose {
		json.NewEncoder(os.Stderr).Encode(mesh.Dump())
	}
	return nil
}

// learn waits until the servers and the rules are known.
func (c *client) learn() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	views, err := c.mesh.Views(ctx, service)
	if err != nil {
		return err
	}
	for v := range views {
		if len(v.Nodes) == servers {
			break
		}
	}
	for ctx.Err() == nil {
		for _, d := range c.mesh.Dump().Services {
			if d.Rules != nil && d.Rules.Revision > 0 {
				return nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("servers and rules: %w", ctx.Err())
}

// run plays the script: its share of the calls, however long answers take.
func (c *client) run() {
	var all sync.WaitGroup
	defer all.Wait()
	for is, p := range phases {
		from, to := span(is)
		time.Sleep(time.Until(c.begin.Add(from)))
		ctx, cancel := context.WithDeadline(context.Background(), c.begin.Add(to))
		all.Go(func() { openloop.Run(ctx, int(p.load*float64(capacity))/clients, callTimeout, c.one) })
		<-ctx.Done()
		cancel()
	}
}

// one makes the nth call of a phase.
func (c *client) one(ctx context.Context, n int) {
	is := called{At: time.Since(c.begin), Kind: kindOf(n)}
	answer, err := c.get(ctx, kinds[is.Kind].path)
	is.Took = time.Since(c.begin) - is.At
	is.End, is.Short = endingOf(err), answer == short
	c.mu.Lock()
	c.done = append(c.done, is)
	c.mu.Unlock()
}

func (c *client) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://"+service+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = statusError(resp.StatusCode)
	}
	return string(body), err
}

type statusError int

func (s statusError) Error() string { return http.StatusText(int(s)) }

func endingOf(err error) ending {
	e, _ := errors.AsType[*transport.Error](err)
	status, _ := errors.AsType[statusError](err)
	switch {
	case err == nil:
		return answered
	case e != nil && e.Stage == transport.StageLimit && e.Attempts == 0:
		return withheld
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests, e != nil && (e.Stage == transport.StageLimit || e.Class == transport.Overload):
		return refused
	case errors.Is(err, context.DeadlineExceeded), e != nil && e.Timeout():
		return late
	}
	return broken
}

// word is what is new.
func (c *client) word() word {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := word{Pressure: c.mesh.Pressure(service).Level, Calls: c.done}
	c.done = nil
	return w
}
