package transport

import (
	"testing"

	"github.com/fairlead-go/fairlead/internal/fixture"
)

// A list that could not be saved does not push out the one that came while that
// was tried.
func TestANewerListIsSavedInsteadOfTheOneThatFailed(t *testing.T) {
	k, s := newKeeper("/snapshots", nil), new(service)
	older, newer := fixture.Snapshot("orders", 1), fixture.Snapshot("orders", 2)
	k.again(s, older)
	if got := k.changed[s]; len(got.Instances) != 1 {
		t.Errorf("%d instances are noted, want 1", len(got.Instances))
	}
	k.note(s, newer)
	k.again(s, older)
	if got := k.changed[s]; len(got.Instances) != 2 {
		t.Errorf("%d instances are noted, want 2", len(got.Instances))
	}
}
