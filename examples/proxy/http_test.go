package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// upstream starts a server that ends with the test.
func upstream(t *testing.T, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func client(t *testing.T) *http.Client {
	base := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: base, Timeout: patience}
}

func TestAnUpstreamSeesTheRequestOfTheClient(t *testing.T) {
	seen := make(chan *http.Request, 1)
	p := start(t, "http1", upstream(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://"+p.addr+"/a%2Fb?c=d;e", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "orders.example"
	for name, value := range map[string]string{
		"X-Forwarded-For": "10.1.2.3", "Baggage": "lane=red", fairhttp.Timeout: "3600000", fairhttp.Priority: "critical",
	} {
		req.Header.Set(name, value)
	}
	resp, err := client(t).Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	got := <-seen
	if got.Method != http.MethodPatch || got.RequestURI != "/a%2Fb?c=d;e" || got.Host != "orders.example" || got.ContentLength != 4 {
		t.Errorf("it sees %s %s of %s with %d bytes", got.Method, got.RequestURI, got.Host, got.ContentLength)
	}
	if left, _ := strconv.Atoi(got.Header.Get(fairhttp.Timeout)); left <= 3_500_000 || left > 3_600_000 {
		t.Errorf("of an hour are left %d ms", left)
	}
	if got.Header.Get(fairhttp.Priority) != "critical" || got.Header.Get("Baggage") != "lane=red" {
		t.Errorf("it sees %v", got.Header)
	}
	if by := got.Header.Get("X-Forwarded-For"); !strings.HasPrefix(by, "10.1.2.3, 127.") {
		t.Errorf("the request came by way of %q", by)
	}
	if got.Header.Get("Accept-Encoding") != "" {
		t.Error("it may compress for a client that did not ask for that")
	}
}

func TestNobodyWaitsLongerThanTheClient(t *testing.T) {
	left := make(chan struct{})
	p := start(t, "http1", upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(left)
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(fairhttp.Timeout, "1000")
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway && resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("the answer is %s", resp.Status)
	}
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("the upstream still works")
	}
}

func TestAnAnswerStreamsAndEndsWithATrailer(t *testing.T) {
	goOn := make(chan struct{})
	p := start(t, "http1", upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "first\n")
		http.NewResponseController(w).Flush()
		<-goOn
		io.WriteString(w, "second\n")
		w.Header().Set("Sum", "2")
	}))
	resp, err := client(t).Get("http://" + p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if first, err := lines.ReadString('\n'); first != "first\n" {
		t.Fatalf("it begins with %q (%v)", first, err)
	}
	close(goOn)
	if rest, err := io.ReadAll(lines); string(rest) != "second\n" || err != nil || resp.Trailer.Get("Sum") != "2" {
		t.Errorf("it ends with %q (%v) and %v", rest, err, resp.Trailer)
	}
}

// net/http's server otherwise takes away the rest of a request when its answer begins.
// Then an answer ends early that comes before the proxy has seen the end of the request.
func TestAnAnswerMayBeginBeforeTheRequestEnds(t *testing.T) {
	p := start(t, "http1", upstream(t, func(w http.ResponseWriter, r *http.Request) {
		full := http.NewResponseController(w)
		full.EnableFullDuplex()
		for lines := bufio.NewReader(r.Body); ; full.Flush() {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, line)
		}
	}))
	body, say := io.Pipe()
	defer say.Close()
	go io.WriteString(say, "first\n") // ends with the pipe
	resp, err := client(t).Post("http://"+p.addr, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if first, err := lines.ReadString('\n'); first != "first\n" {
		t.Fatalf("the first line came back as %q (%v)", first, err)
	}
	io.WriteString(say, "second\n")
	say.Close()
	if rest, err := io.ReadAll(lines); string(rest) != "second\n" || err != nil {
		t.Errorf("then came %q (%v)", rest, err)
	}
}

// Whoever asks first whether to send a body gets its answer without one.
func TestAClientThatExpectsToContinueDoesNotHang(t *testing.T) {
	for want, addr := range map[string]string{
		"100": upstream(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		"502": "127.0.0.1:1",
	} {
		p := start(t, "http1", addr)
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: orders\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("the answer is %q (%v), want %s", line, err, want)
		}
	}
}

func TestAnUpstreamThatIsNotThereIsABadGateway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := start(t, "http1", l.Addr().String())
	c := client(t)
	for n := range 3 { // over one connection, though nobody has read the body
		resp, err := c.Post("http://"+p.addr, "text/plain", strings.NewReader(fmt.Sprint("body ", n)))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("the answer is %s", resp.Status)
		}
	}
	p.terminate(t)
	p.ended(t)
	if strings.Contains(p.said.String(), "panic") {
		t.Errorf("it said:\n%s", &p.said)
	}
}

func TestOnSIGTERMRequestsAreFinished(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	p := start(t, "http1", upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-goOn
		io.WriteString(w, "done")
	}))
	answer := make(chan string, 1)
	go func() { // ends with the proxy
		resp, err := client(t).Get("http://" + p.addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-entered
	p.terminate(t)
	p.gone(t)
	close(goOn)
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	p.ended(t)
}
