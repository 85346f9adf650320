package main

import "github.com/fairlead-go/fairlead/rule"

// allowedOfAttempts is allowed for what a document says of how calls are tried.
func allowedOfAttempts(of string) schema {
	switch of {
	case "Spec":
		return schema{"allOf": []schema{
			{"anyOf": []schema{
				{"properties": schema{"hedge": schema{"required": []string{"off"}, "properties": schema{"off": schema{"const": true}}}}},
				{"required": []string{"idempotent"}, "properties": schema{"idempotent": schema{"const": true}}},
			}},
			failfastTriesOnce,
		}}
	case "Retries.retryOn", "RouteRetries.retryOn":
		return codes(`^[45][0-9]{2}$`, "connect-failure", "reset", "timeout", "overload", "server-failure")
	case "Spec.faultTolerance", "Route.faultTolerance":
		return schema{"enum": []string{"", "failover", "failfast", "failsafe", "broadcast", "available"}}

	case "Hedge.percentile":
		return aboveNoneBelowAll
	case "Hedge.maxExtra", "CircuitBreaker.failureRate", "CircuitBreaker.slowCallRate":
		return aboveNone
	case "Hedge":
		return schema{"allOf": []schema{
			{"not": schema{"required": []string{"delay", "percentile"}, "properties": schema{"delay": long}}},
			{"not": schema{"required": []string{"delay", "minDelay"}, "properties": schema{"delay": long, "minDelay": long}}},
		}}

	case "CircuitBreaker":
		return schema{"anyOf": []schema{
			{"properties": schema{"slowCallRate": schema{"not": schema{}}}},
			{"required": []string{"slowCallDuration"}, "properties": schema{"slowCallDuration": long}},
		}}
	case "CircuitBreaker.mode":
		return schema{"enum": []string{"", "on", "off", "open", "observe"}}
	case "CircuitBreaker.scope":
		return schema{"enum": []string{"", "instance", "method", "service"}}
	case "CircuitBreaker.minRequests", "CircuitBreaker.consecutiveFailures":
		return schema{"minimum": 0, "maximum": mostCalls}
	case "CircuitBreaker.halfOpenRequests":
		return schema{"minimum": 0, "maximum": 1000}

	case "Spec.outcomes":
		return schema{"maxItems": rule.MaxOutcomes}
	case "Outcome.codes":
		return codes(`^[1-5][0-9]{2}(-[1-5][0-9]{2})?$`)
	case "Outcome.as":
		return schema{"enum": []string{"success", "failure", "overload", "neutral"}}

	case "OnFailure":
		return schema{
			"oneOf": []schema{with("service"), with("value")},
			"anyOf": []schema{{"properties": schema{"httpStatus": schema{"const": 0}}}, with("value")},
		}
	case "OnFailure.service":
		return schema{"pattern": "^$|" + serviceName, "maxLength": 253}
	case "OnFailure.value":
		return schema{"maxLength": rule.MaxValue}
	case "OnFailure.httpStatus":
		return schema{"anyOf": []schema{{"const": 0}, {"minimum": 200, "maximum": 599}}}
	}
	return allowedOfLimits(of)
}

var (
	grpcStatuses = []string{
		"CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

	aboveNone         = schema{"not": schema{"pattern": `^0+(\.0+)?%$`}}
	aboveNoneBelowAll = schema{"not": schema{"pattern": `^(0+|100)(\.0+)?%$`}}
	long              = schema{"pattern": "[1-9]"} // a duration that is not 0

	failfastTriesOnce = schema{"not": schema{
		"required": []string{"faultTolerance", "retries"},
		"properties": schema{
			"faultTolerance": schema{"const": "failfast"},
			"retries":        schema{"required": []string{"maxAttempts"}, "properties": schema{"maxAttempts": schema{"minimum": 2}}},
		},
	}}
)

// codes is a list of gRPC codes, of statuses as a pattern has them, and of words.
func codes(statuses string, words ...string) schema {
	return schema{"minItems": 1, "maxItems": rule.MaxCodes, "items": schema{
		"type": "string", "anyOf": []schema{{"pattern": statuses}, {"enum": append(words, grpcStatuses...)}},
	}}
}

// with asks for a text that is not empty.
func with(field string) schema {
	return schema{"required": []string{field}, "properties": schema{field: schema{"minLength": 1}}}
}
