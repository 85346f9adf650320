package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// scenario is what is called and how hard: all that two variants must have in
// common to be compared.
type scenario struct {
	Protocol    string `json:"protocol"`
	Payload     int    `json:"payload"`     // bytes, in either direction
	Concurrency int    `json:"concurrency"` // calls in flight
	Handler     string `json:"handler"`     // what the server does
	Deadline    string `json:"deadline"`    // of each call
}

// The handlers and deadlines there are so far.
const (
	thin = "thin" // echoes
	none = "none"
)

func (s scenario) title() string {
	return fmt.Sprintf("%s, %d B, concurrency %d, %s handler, deadline %s", s.Protocol, s.Payload, s.Concurrency, s.Handler, s.Deadline)
}

// scenarios combines lists of a command line.
func scenarios(protocols, payloads, concurrencies string) ([]scenario, error) {
	ps, err := names("protocol", protocols, []string{http1, grpc1})
	if err != nil {
		return nil, err
	}
	bytes, err := numbers("payload", payloads, 1<<20)
	if err != nil {
		return nil, err
	}
	inFlight, err := numbers("concurrency", concurrencies, 4096)
	if err != nil {
		return nil, err
	}
	var all []scenario
	for _, p := range ps {
		for _, b := range bytes {
			for _, c := range inFlight {
				all = append(all, scenario{Protocol: p, Payload: b, Concurrency: c, Handler: thin, Deadline: none})
			}
		}
	}
	return all, nil
}

func names(flag, list string, allowed []string) ([]string, error) {
	given := strings.Split(list, ",")
	for _, name := range given {
		if !slices.Contains(allowed, name) {
			return nil, fmt.Errorf("-%s %q: allowed are %s", flag, name, strings.Join(allowed, ", "))
		}
	}
	return given, nil
}

func numbers(flag, list string, most int) ([]int, error) {
	var given []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("-%s %q: allowed are whole numbers from 1 to %d", flag, field, most)
		}
		given = append(given, n)
	}
	return given, nil
}
