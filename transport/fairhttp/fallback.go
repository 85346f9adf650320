package fairhttp

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/transport"
)

// Fallback is the header of an answer that no server gave: a rule said what the
// caller gets where the service fails.
const Fallback = "Fairlead-Fallback"

// Answer implements [transport.Substitute].
func (x *exchange) Answer(status int, value string) error {
	x.Discard()
	header := http.Header{Fallback: {"value"}}
	if value != "" {
		header.Set("Content-Type", "application/json")
	}
	x.response = madeUp(x.request, status, header, value)
	return nil
}

var errUpgrade = errors.New("an upgrade is for the service that it names")

// Redirect implements [transport.Substitute].
func (x *exchange) Redirect(service string) error {
	switch {
	case x.upgrade:
		return errUpgrade
	case x.body == nil && !x.repeatable():
		return errBodyGone
	}
	s, err := x.transport.service(service, &url.URL{Scheme: Scheme, Host: service})
	if err != nil {
		return err
	}
	x.Discard()
	x.service, x.call.Service = s, service
	return nil
}

// rescue asks code what the caller gets in place of a failure.
func (x *exchange) rescue(err error) error {
	f := x.transport.config.Fallback
	if f == nil || err == nil && !x.call.Failed() || x.request.Context().Err() != nil {
		return err
	}
	if err != nil {
		x.Discard() // an answer that an error has come after
	}
	failed := x.response
	x.transport.fallback.Run(func() {
		resp, ferr := f(x.request, failed, err)
		if ferr == nil && resp == nil || resp != nil && resp == failed && ferr == nil {
			return
		}
		if failed != nil && (resp == nil || resp.Body != failed.Body) {
			x.Discard()
		}
		if ferr != nil {
			if resp != nil && resp.Body != nil && resp != failed {
				resp.Body.Close()
			}
			err = ferr
			return
		}
		if resp.Request == nil {
			resp.Request = x.request
		}
		if resp.Body == nil {
			resp.Body = http.NoBody
		}
		x.response, err = resp, nil
	})
	return err
}

// madeUp is an answer that no server gave.
func madeUp(req *http.Request, status int, header http.Header, text string) *http.Response {
	var body io.ReadCloser = http.NoBody // as the answer to HEAD
	if req.Method != http.MethodHead && text != "" {
		body = io.NopCloser(strings.NewReader(text))
	}
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          body,
		ContentLength: int64(len(text)),
		Request:       req,
	}
}

// injected is the answer that a rule asks for in place of a server's.
func injected(req *http.Request, i *transport.Injected) *http.Response {
	return madeUp(req, i.HTTPStatus, http.Header{Fault: {"abort"}, "Content-Type": {"text/plain; charset=utf-8"}}, i.Error())
}
