package fairhttp

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/transport"
)

// Fault is the header of an answer that no server gave: a rule injected it.
const Fault = "Fairlead-Fault"

// injected is the answer that a rule asks for in place of a server's.
func injected(req *http.Request, i *transport.Injected) *http.Response {
	text := i.Error()
	var body io.ReadCloser = http.NoBody // as the answer to HEAD
	if req.Method != http.MethodHead {
		body = io.NopCloser(strings.NewReader(text))
	}
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(i.HTTPStatus) + " " + http.StatusText(i.HTTPStatus)),
		StatusCode: i.HTTPStatus,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{Fault: {"abort"}, "Content-Type": {"text/plain; charset=utf-8"}},
		Body:          body,
		ContentLength: int64(len(text)),
		Request:       req,
	}
}
