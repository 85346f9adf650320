package report

import (
	"bytes"
	"encoding/csv"
	"strconv"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// The columns have the names of the fields in JSON.

func rowsCSV(rows []Row) []byte {
	records := [][]string{{"variant", "protocol", "payload", "concurrency", "handler", "deadline",
		"rps", "p50_us", "p99_us", "p999_us", "cpu_us_per_req", "rss_mb", "client_allocs", "errors", "rate", "proxy_cpu_us_per_req", "proxy_rps_per_core"}}
	for _, r := range rows {
		record := append([]string{r.Variant}, called(r.Scenario)...)
		record = append(record, numbers(r.RPS, r.P50, r.P99, r.P999, r.CPU, r.RSS, r.ClientAllocs, float64(r.Errors))...)
		record = append(record, known(r.Rate), known(r.ProxyCPU), known(r.ProxyRPSPerCore))
		records = append(records, record)
	}
	return written(records)
}

func comparisonsCSV(list []Comparison) []byte {
	records := [][]string{{"variant", "base", "protocol", "payload", "concurrency", "handler", "deadline", "metric", "median", "low", "high", "confidence", "pairs"}}
	for _, of := range list {
		record := append([]string{of.Variant, of.Base}, called(of.Scenario)...)
		record = append(append(record, of.Metric), numbers(of.Median, of.Low, of.High, of.Confidence, float64(of.Pairs))...)
		records = append(records, record)
	}
	return written(records)
}

func called(s scenario.Scenario) []string {
	return []string{s.Protocol, strconv.Itoa(s.Payload), strconv.Itoa(s.Concurrency), s.Handler, s.Deadline}
}

func numbers(values ...float64) (fields []string) {
	for _, v := range values {
		fields = append(fields, fixed(v, -1))
	}
	return fields
}

// known leaves out what JSON leaves out.
func known(v float64) string {
	if v == 0 {
		return ""
	}
	return fixed(v, -1)
}

func written(records [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.WriteAll(records) // a buffer takes everything
	return b.Bytes()
}
