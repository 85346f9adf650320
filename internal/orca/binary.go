package orca

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
)

// The binary form of protocol buffers, as far as this one message has it. It is
// read by hand, since whoever calls over net/http links no protobuf.

// numbers are those of the fields of OrcaLoadReport, 0 for named metrics.
var numbers = [metrics]uint64{cpu: 1, qps: 6, eps: 7, application: 9}

// fieldNamed is the field of named metrics, a map<string, double>.
const fieldNamed = 8

// Wire types.
const (
	varint  = 0
	fixed64 = 1
	length  = 2
	fixed32 = 5
)

var errBinary = errors.New("not a message of protocol buffers")

// ParseBinary reads the binary form.
func ParseBinary(s string) (balancer.Load, error) {
	var r report
	if len(s) > mostBytes {
		return balancer.Load{}, errLong
	}
	for len(s) > 0 {
		f, rest, err := nextField(s)
		if err == nil {
			err = r.field(f)
		}
		if err != nil {
			return balancer.Load{}, err
		}
		s = rest
	}
	return r.load(), nil
}

// ParseBase64 reads the binary form in base64, with or without padding, as a
// header has it.
func ParseBase64(s string) (balancer.Load, error) {
	if len(s) > mostBytes {
		return balancer.Load{}, errLong
	}
	for len(s) > 0 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return balancer.Load{}, err
	}
	return ParseBinary(string(b))
}

// field is one of a message: the number, and the bytes, of which fixed64 has
// eight.
type field struct {
	number uint64
	wire   uint64
	bytes  string
}

func nextField(s string) (f field, rest string, err error) {
	tag, n := uvarint(s)
	f.number, f.wire = tag>>3, tag&7
	if n == 0 || f.number == 0 || f.number > 1<<29-1 {
		return f, "", errBinary
	}
	s = s[n:]
	size := uint64(0)
	switch f.wire {
	case varint:
		if _, n = uvarint(s); n == 0 {
			return f, "", errBinary
		}
		size = uint64(n)
	case fixed64:
		size = 8
	case fixed32:
		size = 4
	case length:
		if size, n = uvarint(s); n == 0 {
			return f, "", errBinary
		}
		s = s[n:]
	default: // groups are of the past
		return f, "", errBinary
	}
	if size > uint64(len(s)) {
		return f, "", errBinary
	}
	f.bytes = s[:size]
	return f, s[size:], nil
}

// uvarint returns a number and how many bytes it has, 0 if it is malformed.
func uvarint(s string) (v uint64, n int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			if i == binary.MaxVarintLen64-1 && s[i] > 1 {
				return 0, 0 // more than 64 bits
			}
			return v, i + 1
		}
	}
	return 0, 0
}

func (f field) double() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64([]byte(f.bytes)))
}

// field takes one field of the report.
func (r *report) field(f field) error {
	switch {
	case f.number == fieldNamed && f.wire == length:
		return r.entry(f.bytes)
	case f.wire != fixed64:
		return r.add("", 0)
	}
	name := ""
	if m := slices.Index(numbers[:], f.number); m >= 0 {
		name = names[m]
	}
	return r.add(name, f.double())
}

// entry takes an entry of named metrics, which is a message of a key and a value.
func (r *report) entry(s string) error {
	name, value := "", 0.0
	for len(s) > 0 {
		f, rest, err := nextField(s)
		switch {
		case err != nil:
			return err
		case f.number == 1 && f.wire == length:
			name = f.bytes
		case f.number == 2 && f.wire == fixed64:
			value = f.double()
		}
		s = rest
	}
	switch name {
	case CallsInFlight:
		name = names[callsInFlight]
	case Latency:
		name = names[latency]
	default:
		name = ""
	}
	return r.add(name, value)
}

// AppendBinary appends the binary form of a load.
func AppendBinary(b []byte, l balancer.Load) []byte {
	each(l, func(m metric, value float64) {
		if name, ok := strings.CutPrefix(names[m], named); ok {
			// Shorter than 128 bytes, so that each length is one byte.
			b = append(b, fieldNamed<<3|length, byte(2+len(name)+9), 1<<3|length, byte(len(name)))
			b = appendDouble(append(b, name...), 2, value)
		} else {
			b = appendDouble(b, byte(numbers[m]), value)
		}
	})
	return b
}

func appendDouble(b []byte, number byte, value float64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, number<<3|fixed64), math.Float64bits(value))
}
