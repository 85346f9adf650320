// Package ratelimit keeps calls within what a service can do: rates by token
// bucket, calls in flight by a fixed or a learned limit, and Google's adaptive
// throttling, each of them alone or under a mesh. Calls have a priority, and the
// less important ones are refused first.
package ratelimit
