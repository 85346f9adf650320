// Package breaker stops calls to what fails, and lets a few find out whether it
// works again.
package breaker
