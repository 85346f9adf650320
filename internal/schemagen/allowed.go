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
		return schema{"enum": []string{"", "p2c-ewma", "least-request", "round-robin", "random", "weighted-round-robin", "smooth-weighted", "ring-hash", "maglev", "prequal"}}
	case "LoadBalancer.hashOn":
		return schema{"pattern": "^$|" + property}
	case "LoadBalancer.localityPreference":
		return schema{"enum": []string{"", "zone", "region", "none"}}
	case "LoadBalancer.priorities":
		return schema{"maxItems": rule.MaxPriorities}
	case "LoadBalancer.subsetSize":
		return schema{"minimum": -1, "maximum": mostCalls}
	case "LoadBalancer.selectionMethod":
		return schema{"enum": []string{"", "n-choices", "full-scan"}}
	case "LoadBalancer.hashBalanceFactor":
		return schema{"anyOf": []schema{{"enum": []int{-1, 0}}, {"minimum": 100, "maximum": mostCalls}}}
	case "LoadBalancer":
		return schema{"allOf": []schema{
			onlyWith("selectionMethod", schema{"const": ""}, "least-request"),
			onlyWith("hashBalanceFactor", schema{"const": 0}, "ring-hash", "maglev"),
			onlyWith("reportedWeights", schema{"not": schema{}}, "weighted-round-robin"),
		}}
	case "HealthCheck.unhealthyThreshold", "HealthCheck.healthyThreshold":
		return schema{"minimum": 0, "maximum": 100}
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
		return aboveNone
	case "Route":
		return schema{"allOf": []schema{
			{"not": schema{
				"required":   []string{"strict", "fallback"},
				"properties": schema{"strict": schema{"const": true}, "fallback": schema{"minLength": 1}},
			}},
			failfastTriesOnce,
		}}
	case "Abort.httpStatus":
		return schema{"anyOf": []schema{{"const": 0}, {"minimum": 400, "maximum": 599}}}
	case "Abort.grpcStatus":
		return schema{"enum": append([]string{""}, grpcStatuses...)}
	case "Fault":
		return schema{"minProperties": 1}
	case "Filter":
		return schema{"anyOf": []schema{
			{"required": []string{"keep"}, "properties": schema{"keep": schema{"minProperties": 1}}},
			{"required": []string{"drop"}, "properties": schema{"drop": schema{"minProperties": 1}}},
		}}
	case "SlowCallEjection":
		return schema{"anyOf": []schema{
			{"required": []string{"duration"}},
			{"required": []string{"off"}, "properties": schema{"off": schema{"const": true}}},
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
			"rules", "routes", "filters", "lane", "mirror", "fault", "timeout", "loadBalancer", "outlierDetection", "healthCheck",
			"retries", "hedge", "circuitBreaker", "outcomes", "onFailure", "faultTolerance",
			"priority", "limits", "concurrency", "throttle", "server", "gateway", "telemetry"}}}
	}
	return allowedOfAttempts(of)
}

const (
	mostCalls   = 1_000_000
	serviceName = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`
	property    = `^(key|(header|cookie|query|baggage):.+)$`
)

// onlyWith allows a field of a load balancer with some algorithms, and beside
// others a value that says nothing.
func onlyWith(field string, nothing schema, algorithms ...string) schema {
	return schema{"anyOf": []schema{
		{"properties": schema{field: nothing}},
		{"required": []string{"algorithm"}, "properties": schema{"algorithm": schema{"enum": algorithms}}},
	}}
}
