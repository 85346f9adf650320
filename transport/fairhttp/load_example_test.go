package fairhttp_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// A server tells in its answers how busy it is. Clients whose mesh has the policy
// balancer.Prequal choose by that.
func ExampleReportLoad() {
	reporter := &transport.LoadReporter{
		Utilization: func() float64 { return 0.25 }, // of the CPU, of workers, …
	}
	orders := httptest.NewServer(fairhttp.ReportLoad(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "42")
	}), reporter))
	defer orders.Close()

	resp, err := http.Get(orders.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	report, _, _ := strings.Cut(resp.Header.Get("Endpoint-Load-Metrics"), ",named_metrics.fairlead.latency_seconds=")
	fmt.Println(report)
	// Output: TEXT application_utilization=0.25,named_metrics.fairlead.rif=1
}
