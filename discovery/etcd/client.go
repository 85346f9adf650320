package etcd

import "time"

// clientRecord is the value of a client's key.
type clientRecord struct {
	Service string    `json:"service"` // of the caller
	Library string    `json:"library,omitempty"`
	Since   time.Time `json:"since"`
	// Edition of the rule documents that the client reads; 0: it obeys none.
	Edition int          `json:"edition,omitempty"`
	Rules   *rulesReport `json:"rules,omitempty"`
}
