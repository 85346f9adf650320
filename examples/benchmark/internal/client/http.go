package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// overHTTP makes the calls over HTTP.
func (v variant) overHTTP(a Assignment, sdk telemetry) (worker, closers, error) {
	deadline, err := a.deadline()
	if err != nil {
		return nil, nil, err
	}
	c, err := v.http(a, sdk)
	if err != nil {
		return nil, c.close, err
	}
	call := post(&http.Client{Transport: c.transport}, c.scheme+"://orders/orders/"+a.Scenario.Handler, a.Scenario.Payload)
	if !v.governed {
		call = within(deadline, call)
	}
	return func() func(context.Context) error { return call }, c.close, nil
}

// The header of each call, over gRPC its metadata: rules can go by it.
const (
	tenantHeader = "X-Tenant"
	tenant       = "benchmark"
)

// post sends the payload and expects as much in return.
func post(client *http.Client, url string, payload int) func(context.Context) error {
	body := make([]byte, payload)
	header := []string{tenant} // of all calls: nobody writes to it
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header[tenantHeader] = header
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

// httpPool keeps every connection that can come to be. net/http keeps two per
// host if not told otherwise: under load that measures connecting.
func httpPool(s scenario.Scenario) *http.Transport {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.Proxy = nil // what the environment says is not part of the comparison
	pool.MaxIdleConns = 0
	pool.MaxIdleConnsPerHost = s.InFlight()
	pool.Protocols = new(http.Protocols)
	pool.Protocols.SetHTTP1(s.Protocol == scenario.HTTP1)
	pool.Protocols.SetUnencryptedHTTP2(s.Protocol == scenario.HTTP2)
	return pool
}
