package discoverytest

import (
	"cmp"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Harness makes the registries under test.
type Harness struct {
	// New returns a registry that holds these instances and nothing else. It
	// is called for each sub-test; what it opens is closed by t.Cleanup.
	New func(t *testing.T, instances ...discovery.Instance) Fixture
	// Carries returns what arrives of an instance that was put, for registries
	// that cannot carry all of it, such as DNS; nil means everything. It is
	// applied to what the suite wants to see, never to what it sees, so what a
	// registry is said to carry it has to carry, and nothing else may arrive.
	// Sub-tests about something that is not carried are skipped.
	//
	// The result has to be a valid instance of the same service and address, a
	// different one for each address, and has to be carried as it is.
	Carries func(discovery.Instance) discovery.Instance
	// Patience is how long to wait for what has to come; zero means 10 s. Only
	// a registry that breaks a promise makes anybody wait that long.
	Patience time.Duration
}

// Fixture is one registry under test and the ways to change what it holds.
type Fixture struct {
	Registry discovery.Registry
	// Writer changes what Registry holds. Nil means that nothing can: the
	// sub-tests of group Change are skipped.
	Writer Writer
	// Registrar is itself under test; Registry has to see what it registers.
	// Nil skips the sub-tests of group Registrar.
	Registrar discovery.Registrar
}

// Run runs the suite against the registries of h. It counts goroutines, so
// nothing else may run in parallel with it.
func Run(t *testing.T, h Harness) {
	s := &suite{Harness: h}
	s.Patience = cmp.Or(h.Patience, 10*time.Second)
	if h.Carries == nil {
		s.Carries = func(i discovery.Instance) discovery.Instance { return i }
	}

	t.Run("Harness", func(t *testing.T) {
		t.Run("CarriesWhatItMust", s.carriesWhatItMust)
	})
	t.Run("Registry", func(t *testing.T) {
		t.Run("FirstSnapshotIsComplete", s.firstSnapshotIsComplete)
		t.Run("NoInstancesIsKnowledge", s.noInstancesIsKnowledge)
		t.Run("InstanceArrivesWhole", s.instanceArrivesWhole)
		t.Run("SortedWithoutDuplicates", s.sortedWithoutDuplicates)
		t.Run("ServicesAreApart", s.servicesAreApart)
		t.Run("BadServiceNameEndsWatch", s.badServiceNameEndsWatch)
		t.Run("CancelEndsWatch", s.cancelEndsWatch)
		t.Run("LeavingTheLoopEndsWatch", s.leavingTheLoopEndsWatch)
		t.Run("EndedWatchLeavesNoGoroutine", s.endedWatchLeavesNoGoroutine)
	})
	t.Run("Change", func(t *testing.T) {
		t.Run("AddArrives", s.addArrives)
		t.Run("UpdateArrives", s.updateArrives)
		t.Run("DrainingArrives", s.drainingArrives)
		t.Run("RemoveArrives", s.removeArrives)
		t.Run("LastRemoveArrives", s.lastRemoveArrives)
		t.Run("EverySnapshotIsComplete", s.everySnapshotIsComplete)
		t.Run("SnapshotsAreImmutable", s.snapshotsAreImmutable)
		t.Run("RevisionGrows", s.revisionGrows)
		t.Run("ServicesStayApart", s.servicesStayApart)
		t.Run("LateWatchGetsCurrentSet", s.lateWatchGetsCurrentSet)
		t.Run("WatchesAreIndependent", s.watchesAreIndependent)
		t.Run("SlowConsumerGetsLastSet", s.slowConsumerGetsLastSet)
		t.Run("ConcurrentUse", s.concurrentUse)
	})
	t.Run("Registrar", func(t *testing.T) {
		t.Run("RegisterArrives", s.registerArrives)
		t.Run("RegisterFillsIn", s.registerFillsIn)
		t.Run("BadInstanceIsRefused", s.badInstanceIsRefused)
		t.Run("TakenIDIsRefused", s.takenIDIsRefused)
		t.Run("RegistrationsAreIndependent", s.registrationsAreIndependent)
		t.Run("StateTellsRegistered", s.stateTellsRegistered)
		t.Run("RegistrationUpdateArrives", s.registrationUpdateArrives)
		t.Run("BadUpdateIsRefused", s.badUpdateIsRefused)
		t.Run("UpdateKeepsIdentity", s.updateKeepsIdentity)
		t.Run("DrainArrives", s.drainArrives)
		t.Run("CloseWithdraws", s.closeWithdraws)
		t.Run("CloseTwice", s.closeTwice)
		t.Run("ClosedIsClosed", s.closedIsClosed)
		t.Run("RegisterAgainAfterClose", s.registerAgainAfterClose)
	})
}
