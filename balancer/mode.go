package balancer

// Mode says whether a picker chooses as its policy is meant to.
type Mode uint8

const (
	// Normal: it does.
	Normal Mode = iota
	// Cold: it knows nothing yet of what it goes by, such as loads that servers
	// report, or a table that is still being made.
	Cold
	// Fallback: it cannot know, or does not any more, and chooses in a simpler
	// way, which the policy says.
	Fallback
	// Panic: so few nodes are well that it chooses among all.
	Panic

	// Modes is how many there are.
	Modes = iota
)

var modeNames = [Modes]string{"normal", "cold", "fallback", "panic"}

func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return "unknown"
}

// MarshalText makes a mode readable in JSON.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// ModeOf returns the mode of a picker. One that has no method Mode has no other
// than Normal.
func ModeOf(p Picker) Mode {
	if m, ok := p.(interface{ Mode() Mode }); ok {
		return m.Mode()
	}
	return Normal
}
