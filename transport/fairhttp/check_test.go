package fairhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

func TestHealthCheck(t *testing.T) {
	var status atomic.Int64
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	check := fairhttp.HealthCheck(nil, s.URL+"/health")
	for code, healthy := range map[int64]bool{200: true, 204: true, 299: true, 302: false, 404: false, 503: false} {
		status.Store(code)
		if err := check(t.Context()); (err == nil) != healthy {
			t.Errorf("status %d: %v", code, err)
		}
	}
	s.Close()
	if check(t.Context()) == nil {
		t.Error("nobody answers, and the check holds")
	}
	if fairhttp.HealthCheck(nil, ":bad")(t.Context()) == nil {
		t.Error("a bad URL, and the check holds")
	}
}

func TestReadinessHandler(t *testing.T) {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	probe := func() (int, string) {
		w := httptest.NewRecorder()
		fairhttp.Readiness(mesh, "orders").ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
		b, _ := io.ReadAll(w.Result().Body)
		return w.Code, string(b)
	}
	if code, text := probe(); code != 503 || !strings.Contains(text, "no instance of orders") {
		t.Errorf("before the registration: %d %s", code, text)
	}
	if _, err := mesh.Register(t.Context(), discovery.Instance{Service: "orders", Addr: "10.0.0.7:80"}); err != nil {
		t.Fatal(err)
	}
	if code, text := probe(); code != 200 {
		t.Errorf("registered: %d %s", code, text)
	}
}

func ExampleReadiness() {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	http.Handle("GET /ready", fairhttp.Readiness(mesh, "orders"))

	// And what the instance itself depends on:
	_ = transport.ServeConfig{
		Ready: transport.AllReady(
			transport.TCPCheck("127.0.0.1:5432"),
			fairhttp.HealthCheck(nil, "http://127.0.0.1:8081/health"),
		),
		Fall: 3, Rise: 2,
	}
	// Output:
}
