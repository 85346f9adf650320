package rule_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rule"
)

func TestStanding(t *testing.T) {
	text := func(routes ...rule.Route) []byte {
		text, err := json.Marshal(policy(routes...))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := func(name string, revision int64) rule.Document {
		return rule.Document{Service: "orders", Text: text(rule.Route{Name: name}), Revision: revision, Live: true}
	}
	inForce := func(s rule.Standing) string {
		if r := s.Table.Route(&call{}); r != nil {
			return r.Name
		}
		return "code"
	}
	unheard := func(d rule.Document) rule.Document {
		d.Live = false
		return d
	}
	bad := rule.Document{Service: "orders", Text: []byte(`{"kind":"?"}`), Revision: 7, Live: true}
	other := good("other", 8)
	other.Service = "users"

	for _, c := range []struct {
		name     string
		arrive   []rule.Document
		inForce  string
		revision int64
		live     bool
		refused  string // part of the reason
	}{
		{"NothingYet", nil, "code", 0, false, ""},
		{"NoDocument", []rule.Document{{Service: "orders", Live: true}}, "code", 0, true, ""},
		{"Document", []rule.Document{good("a", 5)}, "a", 5, true, ""},
		{"Another", []rule.Document{good("a", 5), good("b", 6)}, "b", 6, true, ""},
		{"BadAtFirst", []rule.Document{bad}, "code", 0, true, "kind is"},
		{"LastGoodStays", []rule.Document{good("a", 5), bad}, "a", 5, true, "kind is"},
		{"BadIsMended", []rule.Document{good("a", 5), bad, good("b", 8)}, "b", 8, true, ""},
		{"BackToTheLastGood", []rule.Document{good("a", 5), bad, good("a", 5)}, "a", 5, true, ""},
		{"Deleted", []rule.Document{good("a", 5), {Service: "orders", Live: true}}, "code", 0, true, ""},
		{"DeletedAfterABadOne", []rule.Document{good("a", 5), bad, {Service: "orders", Live: true}}, "code", 0, true, ""},
		{"SourceLost", []rule.Document{good("a", 5), unheard(good("a", 5))}, "a", 5, false, ""},
		{"SourceLostWithoutAWord", []rule.Document{good("a", 5), {Service: "orders"}}, "a", 5, false, ""},
		{"FromDisk", []rule.Document{unheard(good("a", 5))}, "a", 5, false, ""},
		{"RestoredUnderTheSameRevision", []rule.Document{good("a", 5), good("b", 5)}, "b", 5, true, ""},
		{"OfAnotherService", []rule.Document{good("a", 5), other}, "a", 5, true, "allowed is users"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s rule.Standing
			for _, d := range c.arrive {
				s = s.Next(d)
			}
			if inForce(s) != c.inForce || s.Revision != c.revision || s.Live != c.live {
				t.Errorf("in force is %s of revision %d, live %t; want %s, %d, %t", inForce(s), s.Revision, s.Live, c.inForce, c.revision, c.live)
			}
			if c.refused == "" && s.Refused != nil || c.refused != "" && (s.Refused == nil || !strings.Contains(s.Refused.Error(), c.refused)) {
				t.Errorf("refused for %v, want %q", s.Refused, c.refused)
			}
		})
	}
}

// A document that arrives again is not read again: calls keep their table.
func TestSameRevisionKeepsTheTable(t *testing.T) {
	text, err := json.Marshal(policy(rule.Route{Name: "a"}))
	if err != nil {
		t.Fatal(err)
	}
	d := rule.Document{Service: "orders", Text: text, Revision: 5, Live: true}
	s := rule.Standing{}.Next(d)
	d.Live = false
	if again := s.Next(d); again.Table != s.Table || again.Live {
		t.Errorf("%+v becomes %+v", s, again)
	}
}
