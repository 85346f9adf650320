package etcd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// An instance that is on its way out, and stays so while etcd is away, can be
// announced again: the new registration takes the place of the old one, which
// is then closed, and says so.
func TestAnnouncedAgainWhileStillOnItsWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		old := announce(t, s)
		if err := old.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.intercepting(hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := old.Close(ctx); err == nil {
			t.Error("Close says that the record is gone, and nobody has answered")
		}
		again := announce(t, s)
		if is := old.State(); is.Registered || is.Reason != "closed" {
			t.Errorf("the old registration is %+v", is)
		}
		f.intercepting(nil)
		if err := again.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if kv := f.get(key1); kv == nil || !again.State().Registered {
			t.Errorf("a minute later etcd holds %v, and the registration is %+v", kv, again.State())
		}
		closing(t, s)
	})
}
