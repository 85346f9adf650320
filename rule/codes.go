package rule

import (
	"slices"
	"strconv"
	"strings"
)

// grpcStatuses are the codes of gRPC that an error can have, from 1 on.
var grpcStatuses = [...]string{
	"CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// grpcCode returns the number of a code by its name, 0 if there is none of that
// name.
func grpcCode(name string) int { return slices.Index(grpcStatuses[:], name) + 1 }

// httpStatus reads a status of three digits from least on.
func httpStatus(text string, least int) (status int, ok bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && len(text) == 3 && int(n) >= least && n <= 599
}

// httpStatuses reads a status, or a range of them such as "500-599".
func httpStatuses(text string) (from, to int, ok bool) {
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	from, first3 := httpStatus(first, 100)
	to, last3 := httpStatus(last, from)
	return from, to, first3 && last3
}

// codes judges a list of what an answer, or an attempt, may have ended with.
func (c *checker) codes(field string, list []string, good func(string) bool, others string) {
	if len(list) == 0 {
		c.badField(field, "of none", "at least one is needed")
	}
	c.most(field, len(list), MaxCodes)
	for n, text := range list {
		if !good(text) {
			c.in(field, n)
			c.bad(quote(text), "allowed are "+others+`, and names of gRPC codes such as "UNAVAILABLE"`)
			c.out()
		}
	}
}
