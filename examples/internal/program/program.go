// Package program lets the tests of a program run it: the test binary is the
// program, too, when it is executed once more. So nothing is built in a test.
//
//	func TestMain(m *testing.M) { program.Main(m, main) }
package program

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"testing"
)

// variable makes a test binary be the program, and so all that the program
// starts of itself.
const variable = "FAIRLEAD_PROGRAM"

// atOnce is how many runs are made side by side, unless -parallel says
// otherwise: they wait more than they compute.
const atOnce = "3"

// Main runs the tests or, in a process that [Command] has started, main. It does
// not return.
func Main(m *testing.M, main func()) {
	if os.Getenv(variable) != "" {
		main()
		os.Exit(0)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set(atOnce)
	}
	os.Exit(m.Run())
}

// Command is the program with these arguments, to be run.
func Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), variable+"=1")
	return cmd
}
