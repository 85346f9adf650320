package faults_test

import (
	"flag"
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

var (
	long  = flag.Bool("long", false, "long outages, many seeds: hours")
	seed  = flag.Uint64("seed", 0, "what decides times and targets; 0: another one each time")
	seeds = flag.Int("seeds", 20, "how many seeds -long plays each row with")
)

// atOnce is how many rows are played side by side, unless -parallel says
// otherwise: each is a dozen processes.
const atOnce = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set(atOnce)
	}
	etcdtest.Main(m, fleet.Role, caller.Role, churnRole)
}
