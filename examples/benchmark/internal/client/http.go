package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// plainHTTP is an http.Client that takes the hosts in turn.
func plainHTTP(a Assignment) (Caller, error) {
	pool := httpPool(a.Scenario.Concurrency)
	client := &http.Client{Transport: &rotation{hosts: a.Addrs, base: pool}}
	return Caller{
		Worker: forAll(post(client, "http://orders/echo", a.Scenario.Payload)),
		Close:  func() error { pool.CloseIdleConnections(); return nil },
	}, nil
}

// httpPool keeps every connection that can come to be. net/http keeps two per
// host if not told otherwise: under load that measures connecting.
func httpPool(concurrency int) *http.Transport {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.Proxy = nil // what the environment says is not part of the comparison
	pool.MaxIdleConns = 0
	pool.MaxIdleConnsPerHost = concurrency
	return pool
}

// rotation sends each request to the next host: the least that a client of
// several hosts has to do.
type rotation struct {
	hosts []string
	base  http.RoundTripper
	next  atomic.Uint64
}

func (r *rotation) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, url := *req, *req.URL // the caller's request must stay as it is
	url.Host = r.hosts[r.next.Add(1)%uint64(len(r.hosts))]
	sent.URL = &url
	return r.base.RoundTrip(&sent)
}

// post sends the payload and expects as much in return.
func post(client *http.Client, url string, payload int) func(context.Context) error {
	body := make([]byte, payload)
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		switch {
		case err != nil:
			return err
		case resp.StatusCode != http.StatusOK:
			return fmt.Errorf("POST %s: %s", url, resp.Status)
		case n != int64(payload):
			return fmt.Errorf("POST %s: %d bytes came back, not %d", url, n, payload)
		}
		return nil
	}
}
