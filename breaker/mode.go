package breaker

// Mode says whether a breaker is in charge of itself.
type Mode uint8

const (
	// Automatic: it opens and closes by what calls show.
	Automatic Mode = iota
	// Disabled: every call is let through, and none is counted.
	Disabled
	// ForcedOpen: every call is rejected.
	ForcedOpen
	// ObserveOnly: it opens and closes, and says so, but rejects nothing.
	ObserveOnly
)

var modeNames = [...]string{"automatic", "disabled", "forced-open", "observe-only"}

func (m Mode) String() string { return nameOf(modeNames[:], int(m)) }

// MarshalText makes a mode readable in JSON.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
