package discovery

import "testing"

func TestAdoptTellsWhetherAnythingChanged(t *testing.T) {
	list := func(ids ...string) listing {
		var l listing
		for _, id := range ids {
			l.instances = append(l.instances, &Instance{ID: id})
		}
		return l
	}
	refusing := func(l listing, reason string) listing {
		l.refused, l.refusals = 1, []Refusal{{Key: "k", Reason: reason}}
		return l
	}
	for _, row := range []struct {
		name         string
		before, next listing
		changed      bool
	}{
		{"Nothing", listing{}, listing{}, false},
		{"Same", list("a", "b"), list("b", "a"), false},
		{"First", list("b", "c"), list("a", "b", "c"), true},
		{"FirstGone", list("a", "b", "c"), list("b", "c"), true},
		{"MiddleGone", list("a", "b", "c"), list("a", "c"), true},
		{"LastGone", list("a", "b"), list("a"), true},
		{"OneForAnother", list("a", "b"), list("a", "c"), true},
		{"Refusal", list("a"), refusing(list("a"), "r"), true},
		{"RefusalGone", refusing(list("a"), "r"), list("a"), true},
		{"RefusalSame", refusing(list("a"), "r"), refusing(list("a"), "r"), false},
		{"RefusalForAnotherReason", refusing(list("a"), "r"), refusing(list("a"), "s"), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			kept := map[string]*Instance{}
			for _, i := range row.before.instances {
				kept[i.ID] = i
			}
			if changed := row.next.adopt(row.before); changed != row.changed {
				t.Errorf("changed %v, want %v", changed, row.changed)
			}
			for _, i := range row.next.instances {
				if before := kept[i.ID]; before != nil && before != i {
					t.Errorf("%s did not change and has another pointer", i.ID)
				}
			}
		})
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	var one, all listing
	for range MaxRefusals - 1 {
		one.refuse("k", ErrInvalid)
	}
	for range 3 {
		all.refuseAll(one)
	}
	all.refuse("k", ErrInvalid)
	if want := 3*(MaxRefusals-1) + 1; all.refused != want || len(all.refusals) != MaxRefusals {
		t.Errorf("%d refused and %d of them named, want %d and %d", all.refused, len(all.refusals), want, MaxRefusals)
	}
}
