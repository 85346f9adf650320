package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is written as Go writes it: "800ms", "1m30s".
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

func (d Duration) String() string { return time.Duration(d).String() }

// Percent is a share in hundredths of a percent, and written with its sign:
// "20%", "0.05%".
type Percent int

// MarshalText implements [encoding.TextMarshaler].
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)/100, 'f', -1, 64) + "%"
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Percent) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	whole, fraction, _ := strings.Cut(digits, ".")
	if !ok || len(whole) == 0 || len(whole) > 3 || len(fraction) > 2 || strings.HasSuffix(digits, ".") {
		return fmt.Errorf("%q is no percentage", text)
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", 2-len(fraction)), 10, 32)
	if err != nil || n > 100_00 {
		return fmt.Errorf("%q is no percentage", text)
	}
	*p = Percent(n)
	return nil
}

// numberOf returns the place of a name among those of an enumeration; the first is
// that of no name.
func numberOf(names []string, name string) int { return max(slices.Index(names, name), 0) }

// Of returns the share as a fraction of 1.
func (p Percent) Of() float64 { return float64(p) / 100_00 }
