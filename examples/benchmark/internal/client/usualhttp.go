package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
)

// The usual stack is what people put together of the best-known parts: round robin,
// OpenTelemetry, a retry and a circuit breaker of the service.

// usualHTTP has, from the outside, otelhttp, gobreaker, HashiCorp's retry, and
// the rotation of [plainHTTP], so that a retry goes to another host.
func usualHTTP(a Assignment, sdk telemetry) (httpClient, error) {
	c, err := plainHTTP(a, sdk)
	retry := retryablehttp.NewClient()
	retry.HTTPClient = &http.Client{Transport: c.transport}
	retry.RetryMax, retry.RetryWaitMin, retry.RetryWaitMax = 2, 25*time.Millisecond, 250*time.Millisecond
	retry.ErrorHandler = retryablehttp.PassthroughErrorHandler // the last answer is the caller's
	retry.Logger = nil
	c.transport = sdk.roundTripper(breaking{newBreaker[*http.Response](bearable), retrying{retry}})
	return c, err
}

// newBreaker opens where half of 20 calls or more within ten seconds failed.
func newBreaker[T any](succeeded func(error) bool) *gobreaker.CircuitBreaker[T] {
	return gobreaker.NewCircuitBreaker[T](gobreaker.Settings{
		Name: "orders", Interval: 10 * time.Second, Timeout: 3 * time.Second,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.Requests >= 20 && 2*c.TotalFailures >= c.Requests },
		IsSuccessful: succeeded,
	})
}

// breaking calls through a breaker, for which a status of the server's fault is a
// failure.
type breaking struct {
	breaker *gobreaker.CircuitBreaker[*http.Response]
	base    http.RoundTripper
}

var errStatus = errors.New("status of a failure")

// bearable errors say nothing against the server.
func bearable(err error) bool { return err == nil || errors.Is(err, context.Canceled) }

func (b breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.breaker.Execute(func() (*http.Response, error) {
		resp, err := b.base.RoundTrip(req)
		if err == nil && resp.StatusCode >= 500 {
			err = errStatus
		}
		return resp, err
	})
	if err == errStatus {
		err = nil
	}
	return resp, err
}

// retrying is [retryablehttp.RoundTripper], which would first copy the body: given
// a function it reads it again instead, as its documentation says.
type retrying struct{ client *retryablehttp.Client }

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, body := *req, req.GetBody
	again := &retryablehttp.Request{Request: &sent}
	if err := again.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return body() })); err != nil {
		return nil, err
	}
	return r.client.Do(again)
}
