package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// scenarios combines lists of a command line.
func scenarios(protocols, payloads, concurrencies string) ([]scenario.Scenario, error) {
	ps, err := names("protocol", protocols, []string{scenario.HTTP1, scenario.GRPC})
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
	var all []scenario.Scenario
	for _, p := range ps {
		for _, b := range bytes {
			for _, c := range inFlight {
				all = append(all, scenario.Scenario{Protocol: p, Payload: b, Concurrency: c, Handler: scenario.Thin, Deadline: scenario.None})
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
