package main

import "github.com/fairlead-go/fairlead/rule"

// allowed is what the types do not tell: of a struct, or of a field by its name
// in JSON. Tests hold it to what package rule accepts.
func allowed(of string) schema {
	switch of {
	case "Policy.apiVersion", "Settings.apiVersion":
		return schema{"const": rule.APIVersion}
	case "Policy.kind":
		return schema{"const": rule.Kind}
	case "Settings.kind":
		return schema{"const": rule.SettingsKind}
	case "Metadata.labels":
		return schema{"maxProperties": rule.MaxLabels}

	case "Spec.service":
		return schema{"pattern": serviceName, "maxLength": 253}
	case "Spec.subsets":
		return schema{"maxItems": rule.MaxSubsets}
	case "Spec.filters":
		return schema{"maxItems": rule.MaxFilters}
	case "Spec.routes":
		return schema{"maxItems": rule.MaxRoutes}
	case "Subset.name", "Lane.label":
		return schema{"minLength": 1}
	case "Subset.labels":
		return schema{"minProperties": 1, "maxProperties": rule.MaxLabels}
	case "Retries.maxAttempts", "RouteRetries.maxAttempts":
		return schema{"minimum": 0, "maximum": rule.MaxAttempts}
	case "Budget.minPerSecond":
		return schema{"minimum": 0, "maximum": 10_000}
	case "LoadBalancer.algorithm":
		return schema{"enum": []string{"", "p2c-ewma", "least-request", "round-robin", "random", "weighted-round-robin", "smooth-weighted", "ring-hash", "maglev"}}
	case "LoadBalancer.hashOn":
		return schema{"pattern": "^$|" + property}
	case "SlowStart.minWeightPercent", "OutlierDetection.maxEjectionPercent", "FailurePercentageEjection.threshold", "SlowCallEjection.threshold",
		"SuccessRateEjection.enforcementPercentage", "FailurePercentageEjection.enforcementPercentage", "SlowCallEjection.enforcementPercentage":
		return schema{"minimum": 0, "maximum": 100}
	case "OutlierDetection.consecutiveFailures":
		return schema{"minimum": -1, "maximum": mostCalls}
	case "SuccessRateEjection.stdevFactor", "SuccessRateEjection.minimumHosts", "SuccessRateEjection.requestVolume",
		"FailurePercentageEjection.minimumHosts", "FailurePercentageEjection.requestVolume",
		"SlowCallEjection.minimumHosts", "SlowCallEjection.requestVolume":
		return schema{"minimum": 0, "maximum": mostCalls}
	case "Telemetry.level":
		return schema{"enum": []string{"", "off", "metrics", "full"}}

	case "Lane.key":
		return schema{"pattern": property}
	case "Route.hashOn":
		return schema{"pattern": "^$|" + property}
	case "Destination.weight":
		return schema{"minimum": 0, "maximum": 100}
	case "Mirror.percent", "Delay.percent", "Abort.percent":
		return schema{"not": schema{"pattern": `^0+(\.0+)?%$`}}
	case "Route":
		return schema{"not": schema{
			"required":   []string{"strict", "fallback"},
			"properties": schema{"strict": schema{"const": true}, "fallback": schema{"minLength": 1}},
		}}
	case "Abort.httpStatus":
		return schema{"anyOf": []schema{{"const": 0}, {"minimum": 400, "maximum": 599}}}
	case "Abort.grpcStatus":
		return schema{"enum": []string{
			"", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
			"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}}
	case "Fault":
		return schema{"minProperties": 1}
	case "Filter":
		return schema{"anyOf": []schema{
			{"required": []string{"keep"}, "properties": schema{"keep": schema{"minProperties": 1}}},
			{"required": []string{"drop"}, "properties": schema{"drop": schema{"minProperties": 1}}},
		}}
	case "Text":
		return schema{"minProperties": 1, "maxProperties": 1}
	case "Text.exact", "Text.prefix", "Text.regex":
		return schema{"minLength": 1}
	case "Text.present":
		return schema{"const": true}

	case "SettingsSpec.services":
		return schema{"propertyNames": schema{"pattern": serviceName, "maxLength": 253}}
	case "Switches.off":
		return schema{"items": schema{"enum": []string{
			"rules", "routes", "filters", "lane", "mirror", "fault", "timeout", "loadBalancer", "outlierDetection", "retries", "telemetry"}}}
	}
	return nil
}

const (
	mostCalls   = 1_000_000
	serviceName = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`
	property    = `^(key|(header|cookie|query|baggage):.+)$`
)
