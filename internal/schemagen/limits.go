package main

import (
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// allowedOfLimits is allowed for what a document says of how many calls there may
// be.
func allowedOfLimits(of string) schema {
	switch of {
	case "Spec.priority", "Route.priority":
		return schema{"enum": []string{"", "sheddable", "default", "critical"}}
	case "Spec.limits":
		return schema{"maxItems": rule.MaxLimits}
	case "Spec.concurrency":
		return schema{"maxItems": rule.MaxConcurrency}
	case "RateLimit.name", "Concurrency.name":
		return schema{"minLength": 1}

	case "RateLimit.rate":
		return schema{"not": schema{"pattern": `^0+(\.0+)?/`}}
	case "RateLimit.burst":
		return schema{"minimum": 0, "maximum": ratelimit.MaxBurst}
	case "RateLimit.per":
		return schema{"pattern": "^$|^(service|method|caller|key|class|header:[-!#$%&'*+.^_`|~0-9A-Za-z]+)$"}
	case "RateLimit.maxKeys":
		return schema{"minimum": 0, "maximum": ratelimit.MostKeys}
	case "RateLimit.scope":
		return schema{"enum": []string{"", "process", "shared"}}
	case "RateLimit":
		return schema{"allOf": []schema{
			{"anyOf": []schema{
				{"properties": schema{"maxKeys": schema{"const": 0}}},
				{"required": []string{"per"}, "properties": schema{"per": schema{"pattern": "^(caller|key|header:)"}}},
			}},
			{"anyOf": []schema{
				{"properties": schema{"scope": schema{"enum": []string{"", "process"}}}},
				{"properties": schema{"per": schema{"enum": []string{"", "service"}}}},
			}},
		}}

	case "Concurrency.max":
		return schema{"minimum": 0, "maximum": ratelimit.MostInFlight}
	case "Concurrency.per":
		return schema{"enum": []string{"", "service", "method", "class", "instance"}}
	case "Concurrency":
		return schema{
			"oneOf": []schema{
				{"required": []string{"max"}, "properties": schema{"max": schema{"minimum": 1}}},
				{"required": []string{"adaptive"}},
			},
			"not": schema{"anyOf": []schema{
				{"required": []string{"per", "wait"}, "properties": schema{"per": schema{"const": "instance"}, "wait": long}},
				{"required": []string{"per", "match"}, "properties": schema{"per": schema{"const": "instance"}, "match": schema{"minItems": 1}}},
			}},
		}
	case "Adaptive.min", "Adaptive.max", "Adaptive.initial":
		return schema{"minimum": 0, "maximum": ratelimit.MostInFlight}

	case "Throttle.k":
		return schema{"anyOf": []schema{{"const": 0}, {"exclusiveMinimum": 1, "maximum": 100}}}
	case "Throttle.maxReject":
		return aboveNoneBelowAll

	case "Server.limits":
		return schema{"maxItems": rule.MaxLimits, "allOf": []schema{each(schema{"scope": schema{"enum": []string{"", "process"}}, "per": schema{"not": schema{"const": "key"}}})}}
	case "Server.concurrency":
		return schema{"maxItems": rule.MaxConcurrency, "allOf": []schema{each(schema{"per": schema{"not": schema{"const": "instance"}}})}}

	case "Gateway":
		return schema{"anyOf": []schema{with("service"), {"required": []string{"off"}, "properties": schema{"off": schema{"const": true}}}}}
	case "Gateway.service":
		return schema{"pattern": "^$|" + serviceName, "maxLength": 253}
	case "Gateway.share":
		return aboveNone
	}
	return nil
}

// each asks something of the items of a list.
func each(properties schema) schema { return schema{"items": schema{"properties": properties}} }
