package ratelimit

// Bucket is a token bucket. (A stand-in.)
type Bucket struct{}
