package fairhttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// A server takes on what it can work on, and believes its clients which of their
// requests are critical. How many it can work on is learned; that only one may come
// in a second is for the example.
func ExampleAdmit() {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())
	admission, err := mesh.Admission("orders", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 1, Burst: 1}})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/v1/orders/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
	srv := httptest.NewServer(fairhttp.Handler(mux, fairhttp.Admit(admission), fairhttp.TrustPriority()))
	defer srv.Close()

	for range 2 {
		resp, err := http.Get(srv.URL + "/v1/orders/42")
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Printf("%s, refused: %q, come again in: %q\n", resp.Status, resp.Header.Get(fairhttp.Refused), resp.Header.Get("Retry-After"))
	}
	// Output:
	// 200 OK, refused: "", come again in: ""
	// 429 Too Many Requests, refused: "rate", come again in: "1"
}
