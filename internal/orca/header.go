package orca

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
)

// ParseHeader reads the value of [Header]. Its first word says the form: TEXT,
// JSON or BIN, as in Envoy's parser (source/common/orca/orca_parser.cc).
func ParseHeader(s string) (balancer.Load, error) {
	if len(s) > mostBytes {
		return balancer.Load{}, errLong
	}
	form, rest, _ := strings.Cut(s, " ")
	switch form {
	case "TEXT":
		return parseText(rest)
	case "JSON":
		return parseJSON(rest)
	case "BIN":
		return ParseBase64(strings.TrimSpace(rest))
	}
	return balancer.Load{}, errors.New("a form that is none of TEXT, JSON and BIN")
}

// parseText reads pairs of a name and a number, such as
//
//	cpu_utilization=0.3, rps_fractional=10.0, named_metrics.custom=0.4
//
// Envoy before 1.33 had a colon between the two.
func parseText(s string) (balancer.Load, error) {
	var r report
	for pair := range strings.SplitSeq(s, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			name, text, ok = strings.Cut(pair, ":")
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" || name == named {
			return balancer.Load{}, errors.New("what is no pair of a name and a number")
		}
		if err := r.once(name, value); err != nil {
			return balancer.Load{}, err
		}
	}
	return r.load(), nil
}

// parseJSON reads the form that protocol buffers have in JSON: names are those
// of the proto file or in camel case, and numbers may be strings.
func parseJSON(s string) (balancer.Load, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &fields); err != nil {
		return balancer.Load{}, err
	}
	var r report
	for name, raw := range fields {
		var err error
		if name = snake(name); name+"." == named {
			err = r.entries(raw)
		} else {
			err = r.text(name, raw)
		}
		if err != nil {
			return balancer.Load{}, err
		}
	}
	return r.load(), nil
}

// entries takes the named metrics as JSON has them.
func (r *report) entries(raw json.RawMessage) error {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return err
	}
	for name, raw := range entries {
		if err := r.text(named+name, raw); err != nil {
			return err
		}
	}
	return nil
}

// text takes a metric as JSON has it. What is not kept may be anything.
func (r *report) text(name string, raw json.RawMessage) error {
	if !slices.Contains(names[:], name) || string(raw) == "null" {
		return r.add("", 0)
	}
	value, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil {
		return errors.New("a metric is no number")
	}
	return r.once(name, value)
}

// snake returns a name in camel case as the proto file has it.
func snake(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			b.WriteByte(c - 'A' + 'a')
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// AppendText appends the value of [Header] for a load, in the form TEXT.
func AppendText(b []byte, l balancer.Load) []byte {
	b = append(b, "TEXT"...)
	separator := byte(' ')
	each(l, func(m metric, value float64) {
		b = append(append(append(b, separator), names[m]...), '=')
		b = strconv.AppendFloat(b, value, 'g', 6, 64)
		separator = ','
	})
	return b
}
