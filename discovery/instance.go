package discovery

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Limits of an [Instance]. A record that breaks one is refused on write and
// skipped on read.
const (
	DefaultWeight = 100
	MaxWeight     = 10_000
	MaxEndpoints  = 16
	MaxMeta       = 64  // entries
	MaxMetaBytes  = 256 // of one key, and of one value
)

// Instance is one running copy of a service. It is a value; Endpoints and Meta
// are shared between copies and must not be written to.
type Instance struct {
	// ID tells this run of this copy from every other, before and after: a
	// restarted process is a new instance. Registrars fill in [NewID] where it
	// is empty.
	ID      string `json:"id"`
	Service string `json:"service"`
	// Addr is the host:port for readers that know only one, such as the stock
	// etcd resolver of gRPC. Where it is empty, registrars fill in the gRPC
	// endpoint, else the first that is not a unix socket.
	Addr string `json:"addr"`
	// Endpoints are the ways to reach the instance. Where there are none, Addr
	// is taken to speak whatever the caller speaks.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Weight is the capacity relative to the other instances; 0 means 100.
	Weight  int    `json:"weight,omitempty"`
	Region  string `json:"region,omitempty"`
	Zone    string `json:"zone,omitempty"`
	Version string `json:"version,omitempty"`
	// Draining says that the instance finishes what it has and wants no more.
	Draining bool `json:"draining,omitempty"`
	// BootID names the boot of the instance's host, see [BootID]. Only a unix
	// endpoint needs it.
	BootID    string            `json:"bootID,omitempty"`
	StartedAt time.Time         `json:"startedAt,omitzero"`
	Meta      map[string]string `json:"meta,omitempty"`
}

// NewID returns 128 random bits in hex: the identity of one run of an
// instance, never used twice.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// Normalize fills in what a registrar fills in for an instance about to be
// registered: ID, Addr, Weight, StartedAt, and BootID where there is a unix
// endpoint.
func (i Instance) Normalize(now time.Time) Instance {
	if i.ID == "" {
		i.ID = NewID()
	}
	if i.Addr == "" {
		i.Addr = i.defaultAddr()
	}
	if i.Weight == 0 {
		i.Weight = DefaultWeight
	}
	if i.StartedAt.IsZero() {
		i.StartedAt = now
	}
	if i.BootID == "" && slices.ContainsFunc(i.Endpoints, isUnix) {
		i.BootID = BootID()
	}
	return i
}

// Equal reports whether i and o say the same. Start times are compared as
// moments.
func (i *Instance) Equal(o *Instance) bool {
	return i == o || i.ID == o.ID && i.Service == o.Service && i.Addr == o.Addr && i.Weight == o.Weight &&
		i.Region == o.Region && i.Zone == o.Zone && i.Version == o.Version && i.Draining == o.Draining &&
		i.BootID == o.BootID && i.StartedAt.Equal(o.StartedAt) &&
		slices.Equal(i.Endpoints, o.Endpoints) && maps.Equal(i.Meta, o.Meta)
}

// Label returns what rules see of an instance by a name: its ID, Addr, Version,
// Zone and Region by theirs in lower case, where they say something, else the
// entry of Meta.
func (i *Instance) Label(name string) (value string, ok bool) {
	switch name {
	case "id":
		value = i.ID
	case "addr":
		value = i.Addr
	case "version":
		value = i.Version
	case "zone":
		value = i.Zone
	case "region":
		value = i.Region
	}
	if value == "" {
		value, ok = i.Meta[name]
		return value, ok
	}
	return value, true
}

func isUnix(e Endpoint) bool {
	_, ok := e.Unix()
	return ok
}

func (i Instance) defaultAddr() string {
	addr := ""
	for _, e := range i.Endpoints {
		if isUnix(e) {
			continue
		}
		if e.Protocol == GRPC {
			return e.Addr
		}
		if addr == "" {
			addr = e.Addr
		}
	}
	return addr
}

// Validate reports the first thing that is wrong with a normalized instance as
// a [*FieldError].
func (i Instance) Validate() error {
	if err := ValidateService(i.Service); err != nil {
		return err
	}
	if !ValidID(i.ID) {
		return &FieldError{Field: "Instance.ID", Value: i.ID, Allowed: "1 to 128 bytes of letters, digits and . _ - :"}
	}
	if err := validateAddr("Instance.Addr", i.Addr); err != nil {
		return err
	}
	if len(i.Endpoints) > MaxEndpoints {
		return &FieldError{Field: "len(Instance.Endpoints)", Value: len(i.Endpoints), Allowed: fmt.Sprintf("at most %d", MaxEndpoints)}
	}
	for n, e := range i.Endpoints {
		if err := e.validate(fmt.Sprintf("Instance.Endpoints[%d]", n)); err != nil {
			return err
		}
	}
	if i.Weight < 0 || i.Weight > MaxWeight {
		return &FieldError{Field: "Instance.Weight", Value: i.Weight, Allowed: fmt.Sprintf("0 (meaning %d) to %d", DefaultWeight, MaxWeight)}
	}
	for _, f := range [...]struct{ field, value string }{
		{"Instance.Region", i.Region}, {"Instance.Zone", i.Zone}, {"Instance.Version", i.Version}, {"Instance.BootID", i.BootID},
	} {
		if !validText(f.value) {
			return &FieldError{Field: f.field, Value: f.value, Allowed: textRule}
		}
	}
	if _, err := i.StartedAt.MarshalText(); err != nil {
		return &FieldError{Field: "Instance.StartedAt", Value: i.StartedAt, Allowed: "a time that RFC 3339 can write, in the years 0 to 9999"}
	}
	return validateMeta(i.Meta)
}

var textRule = fmt.Sprintf("at most %d bytes of visible ASCII and spaces", MaxMetaBytes)

// validText keeps line breaks, control bytes and non-ASCII out: such a value
// would break headers, log lines and metric labels.
func validText(s string) bool {
	if len(s) > MaxMetaBytes {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// ValidID reports whether id can be the ID of an instance: 1 to 128 bytes of
// letters, digits and . _ - :, neither "." nor "..".
func ValidID(id string) bool {
	if id == "" || len(id) > 128 || id == "." || id == ".." {
		return false
	}
	for _, c := range []byte(id) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == ':'
		if !ok {
			return false
		}
	}
	return true
}
