package discovery

import (
	"fmt"
	"log/slog"
	"time"
)

// Rule says how a [Composite] makes one list of those of its members. The zero
// value is [Prefer].
type Rule uint8

const (
	// Prefer uses the list of one member at a time: the first, in their order,
	// that knows instances of the service.
	//
	//   - A stale list is used as long as it has instances: a member that can
	//     no longer be heard stays in use with what it said last.
	//   - A member that knows of no instances is passed over, be its list live
	//     or stale.
	//   - A member that never had a list is waited for until it says that it is
	//     in trouble, for CompositeConfig.Patience at most, and then passed over.
	//   - As soon as an earlier member has instances again, it is used again.
	//
	// State, AsOf and error are those of the member in use. Where no member has
	// instances they are told as for Merge, so that an empty list is Live only
	// if every member says so.
	Prefer Rule = iota
	// Merge uses the instances of all members.
	//
	//   - Two instances with the same ID, or with an ip:port in common, are one
	//     and the same. The record of the earlier member counts, whatever the
	//     later one says.
	//   - The list is Live if those of all members are, Cold if no member ever
	//     had one, and otherwise Stale.
	//   - The error names every member that is in trouble. AsOf is the oldest,
	//     where a list that is live counts as of now in one that is not.
	//   - The first list comes when every member has said something, or after
	//     CompositeConfig.Patience without those that are silent still.
	Merge
)

var ruleNames = [...]string{"prefer", "merge"}

func (r Rule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return "unknown"
}

// MarshalText makes a rule readable in JSON.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// DefaultPatience is how long a silent member of a [Composite] is waited for.
// A registry that is there answers in a fraction of it.
const DefaultPatience = time.Second

// CompositeConfig says which registries are used as one, and how. Only Members
// has no usable zero value.
type CompositeConfig struct {
	Rule Rule
	// Members come in the order in which Rule prefers them.
	Members []Member
	// Patience is how long a watch waits for a member that has said nothing.
	// Zero means [DefaultPatience]. As long as all members are silent, the
	// composite is, too.
	Patience time.Duration
	// Logger is told when Prefer uses another member than before. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// Member is one registry of a [Composite].
type Member struct {
	// Name tells the member from the others in errors, logs and dumps.
	Name string
	// Registry is a registry that stays the caller's to close. It is used if
	// Open is nil.
	Registry Registry
	// Open opens a registry that the composite owns: Composite.Close closes
	// it, if it has a method Close(context.Context) error. The method Open of
	// a registry's configuration fits, such as that of etcd.Config.
	Open func() (Registry, error)
	// ReadOnly keeps [Composite.Register] from registering here, too. A member
	// that is no [Registrar] is only read in any case.
	ReadOnly bool
}

// Validate reports the first bad field as a [*FieldError].
func (c CompositeConfig) Validate() error {
	if c.Rule > Merge {
		return &FieldError{Field: "CompositeConfig.Rule", Value: int(c.Rule), Allowed: "Prefer or Merge"}
	}
	if c.Patience < 0 {
		return &FieldError{Field: "CompositeConfig.Patience", Value: c.Patience, Allowed: "0 (meaning " + DefaultPatience.String() + ") or more"}
	}
	if len(c.Members) == 0 {
		return &FieldError{Field: "len(CompositeConfig.Members)", Value: 0, Allowed: "at least 1"}
	}
	names := map[string]bool{}
	for n, m := range c.Members {
		field := fmt.Sprintf("CompositeConfig.Members[%d]", n)
		switch {
		case !ValidID(m.Name):
			return &FieldError{Field: field + ".Name", Value: m.Name, Allowed: "1 to 128 bytes of letters, digits and . _ - :"}
		case names[m.Name]:
			return &FieldError{Field: field + ".Name", Value: m.Name, Allowed: "a name that no other member has"}
		case m.Registry == nil && m.Open == nil:
			return &FieldError{Field: field + ".Registry", Value: nil, Allowed: "a registry, unless Open is set"}
		case m.Registry != nil && m.Open != nil:
			return &FieldError{Field: field + ".Open", Value: "(set)", Allowed: "nil where Registry is set"}
		}
		names[m.Name] = true
	}
	return nil
}

// Open returns a new [Composite]. It is NewComposite for those who open
// registries of several kinds.
func (c CompositeConfig) Open() (Registry, error) {
	r, err := NewComposite(c)
	if err != nil {
		return nil, err
	}
	return r, nil
}
