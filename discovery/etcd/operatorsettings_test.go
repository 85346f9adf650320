package etcd

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

func switched(off ...string) rule.Settings {
	return rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: off}}}
}

// The settings have versions as rules do, and share none with a service of that
// name.
func TestVersionsOfSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		o := f.operator(t)
		defer o.Close()
		off := func(v RuleVersion) []string {
			s, err := rule.DecodeSettings(v.Text)
			if err != nil {
				t.Errorf("%s: %v", v.Text, err)
			}
			return s.Spec.Off
		}
		p := policy(0)
		p.Spec.Service = "settings"
		if _, _, err := o.PutRules(ctx, p, 0, Note{}); err != nil {
			t.Fatal(err)
		}
		if v, err := o.Settings(ctx); err != nil || v.Text != nil || v.Revision != 0 || v.Number != 0 {
			t.Errorf("there are settings: %+v, %v", v, err)
		}
		first, before, err := o.PutSettings(ctx, switched("mirror"), 0, Note{"ann", "load"})
		if err != nil || first.Number != 1 || before.Text != nil {
			t.Fatalf("%+v, before it %+v, %v", first, before, err)
		}
		if text, _ := json.Marshal(switched("mirror")); string(f.get(o.keys.settings()).Value) != string(text) {
			t.Errorf("in etcd stands %s", f.get(o.keys.settings()).Value)
		}
		stands, err := o.Settings(ctx)
		if err != nil || stands.Revision != first.Revision || stands.Number != 1 || stands.Note != (Note{"ann", "load"}) {
			t.Errorf("%+v stands, %v", stands, err)
		}
		_, _, err = o.PutSettings(ctx, switched("fault"), 0, Note{})
		if c, ok := errors.AsType[*ConflictError](err); !ok || c.Found != first.Revision || !strings.Contains(err.Error(), "the settings") {
			t.Errorf("error %v, want a conflict", err)
		}

		f.put(o.keys.settings(), `{"kind":"Settings","apiVersion":"fairlead/v1alpha1","spec":{"off":["lane"]}}`, 0)
		_, _, err = o.DeleteSettings(ctx, first.Revision, Note{})
		if _, ok := errors.AsType[*ConflictError](err); !ok {
			t.Errorf("error %v, want a conflict", err)
		}
		stands = must(o.Settings(ctx))
		gone, before, err := o.DeleteSettings(ctx, stands.Revision, Note{})
		if err != nil || gone.Number != 3 || before.Number != 2 || !slices.Equal(off(before), []string{"lane"}) || f.get(o.keys.settings()) != nil {
			t.Errorf("%+v, before it %+v, %v", gone, before, err)
		}
		all, err := o.SettingsHistory(ctx)
		if err != nil || len(all) != 3 || all[0].Text != nil || !slices.Equal(off(all[1]), []string{"lane"}) || !slices.Equal(off(all[2]), []string{"mirror"}) {
			t.Errorf("history %+v, %v", all, err)
		}
		if all, err := o.History(ctx, "settings"); err != nil || len(all) != 1 {
			t.Errorf("of the service with that name %+v, %v", all, err)
		}
		if all, err := o.Services(ctx); err != nil || len(all) != 1 || all[0].Service != "settings" {
			t.Errorf("services %+v, %v", all, err)
		}
		if discovery.ValidateService(everywhere) == nil {
			t.Error("a service may have the name of the settings")
		}

		calls := len(f.seen())
		if _, _, err := o.PutSettings(ctx, switched("mirrors"), 0, Note{}); !is[rule.Problems](err) {
			t.Errorf("bad settings: %v", err)
		}
		if len(f.seen()) != calls {
			t.Error("etcd was asked for what is refused")
		}
	})
}
