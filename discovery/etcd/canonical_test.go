package etcd

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// What encode writes is read in one go.
func TestCanonicalIsWhatIsWritten(t *testing.T) {
	many := full()
	many.Meta = map[string]string{"a": "1", "ab": "2", "b": ""}
	for name, i := range map[string]discovery.Instance{
		"Full":    full(),
		"Many":    many,
		"Minimal": {ID: "a", Service: "orders", Addr: "10.0.0.7:9000"},
		"Usual":   discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:9000"}.Normalize(time.Now()),
	} {
		t.Run(name, func(t *testing.T) {
			value, err := encode(i, "me")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := canonical([]byte(value)); !ok {
				t.Errorf("not read in one go: %s", value)
			}
		})
	}
}

// What differs in any way is left to a reader that knows all of JSON.
func TestCanonicalIsNothingElse(t *testing.T) {
	i := full()
	i.Meta["zone"] = "n"
	value, err := encode(i, "me")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := canonical([]byte(value)); !ok {
		t.Fatalf("not read in one go: %s", value)
	}
	for name, c := range map[string][2]string{
		"Space":           {`"Op":0,`, `"Op":0, `},
		"OtherOp":         {`"Op":0`, `"Op":1`},
		"Escape":          {`"north"`, `"n\u006frth"`},
		"NotASCII":        {`"north"`, `"nørth"`},
		"ControlByte":     {`"north"`, "\"nor\tth\""},
		"UnknownName":     {`"region"`, `"regime"`},
		"NameTwice":       {`"region":"north"`, `"region":"north","region":"south"`},
		"OtherOrder":      {`"region":"north","zone":"north-1"`, `"zone":"north-1","region":"north"`},
		"MetaTwice":       {`"team":"payments"`, `"team":"payments","team":"orders"`},
		"MetaNotSorted":   {`"team":"payments"`, `"zzzz":"1","team":"payments"`},
		"EmptyMeta":       {`{"team":"payments","zone":"n"}`, `{}`},
		"EmptyEndpoints":  {`"endpoints":[`, `"endpoints":[],"x":[`},
		"NotDraining":     {`"draining":true`, `"draining":false`},
		"LeadingZero":     {`"weight":70`, `"weight":070`},
		"NegativeWeight":  {`"weight":70`, `"weight":-70`},
		"FractionalWeigh": {`"weight":70`, `"weight":70.5`},
		"HugeWeight":      {`"weight":70`, `"weight":70000000000`},
		"BadTime":         {`"2026-03-01T12`, `"2026-03-01X12`},
		"EmptyID":         {`"id":"a"`, `"id":""`},
		"More":            {`"}}`, `"}} `},
		"Less":            {`"}}`, `"}`},
		"Twice":           {`"}}`, `"}}{}`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(value, c[0], c[1], 1)
			if changed == value {
				t.Fatalf("there is no %s in %s", c[0], value)
			}
			if addr, m, ok := canonical([]byte(changed)); ok {
				t.Errorf("%s is read as %s %+v", changed, addr, m)
			}
		})
	}
	for n := range len(value) {
		if _, _, ok := canonical([]byte(value[:n])); ok {
			t.Errorf("what is cut after %d bytes is read", n)
		}
	}
}
