package faults_test

// What rows wait for. A row that needs what has not landed is skipped and says
// so.
const (
	attemptTimeouts = "attempt timeouts (spec.retries.perTryTimeout)"
	conditions      = "conditions of retries (spec.retries.retryOn)"
	breakers        = "circuit breakers (spec.circuitBreaker)"
	basePanics      = "the end of an attempt whose base panics"
	needed          = "refusal of a call whose rest is below what its method ever needed"
)

// landed says what the library has.
var landed = map[string]bool{
	attemptTimeouts: true,
	conditions:      true,
	breakers:        true,
	basePanics:      true,
	needed:          true,
}

// needs skips a row that needs what has not landed.
func (s *scene) needs(features ...string) {
	s.Helper()
	for _, f := range features {
		if !landed[f] {
			s.Skip("waits for " + f)
		}
	}
}

// has is needs for a part of a row.
func (s *scene) has(feature string) bool {
	s.Helper()
	if !landed[feature] {
		s.Logf("a part of the row waits for %s", feature)
	}
	return landed[feature]
}
