package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// Exit codes. What etcd understood and refused, be it for want of permission or
// of space, is invalid: the same command would be refused again.
const (
	exitOK          = 0
	exitInvalid     = 1
	exitUnreachable = 2
)

// errSaid is for what has been said on the output already.
var errSaid = errors.New("said already")

// session is one run of the command.
type session struct {
	options
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer
}

// run executes one command line, without the name of the program, and returns
// the exit code.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{env: env, stdin: stdin, stdout: stdout}
	root := s.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSaid):
		return exitInvalid
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "fairlead: interrupted")
		return exitInvalid
	}
	fmt.Fprintln(stderr, "fairlead:", printableLines(err.Error()))
	if errors.Is(err, etcd.ErrUnreachable) {
		return exitUnreachable
	}
	return exitInvalid
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "Operate the services of a fairlead mesh",
		Long: `fairlead checks and changes the rules of services, switches features off in
trouble, drains and weighs instances, and shows what stands in etcd.

Every command that writes says how to undo it, as a command to copy; --dry-run
has it say what it would do, and write nothing.

What is set neither by a flag nor by the variable FAIRLEAD_NAME of the
environment is taken from ETCDCTL_NAME, as etcdctl does: ENDPOINTS, CACERT,
CERT, KEY, USER, PASSWORD, DIAL_TIMEOUT, INSECURE_SKIP_TLS_VERIFY. PREFIX and
TIMEOUT are ours alone.

Exit codes: 0 done; 1 invalid: usage, a bad document, a conflict with another
operator, refused by etcd; 2 etcd could not be reached in time.`,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return s.settle(cmd.Flags()) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s.define(root.PersistentFlags())
	root.AddCommand(s.rules(), s.settings(), s.services(), s.instances(), s.drain(), s.undrain(), s.weight())
	return root
}

func (s *session) rules() *cobra.Command {
	rules := &cobra.Command{
		Use:   "rules",
		Short: "Check, change and show the rules of services",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	rules.AddCommand(s.check(), s.diff(), s.apply(), s.get(), s.history(), s.rollback(), s.delete())
	return rules
}

// unsure adds to the error of a write what its author has to know.
func unsure(err error) error {
	if errors.Is(err, etcd.ErrUnreachable) {
		return fmt.Errorf("%w; it may have been written all the same: look before you try again", err)
	}
	return err
}

// operate has do talk to etcd, for no longer than the timeout.
func (s *session) operate(ctx context.Context, do func(context.Context, *etcd.Operator) error) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	operator, err := etcd.NewOperator(config)
	if err != nil {
		return err
	}
	defer operator.Close()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return do(ctx, operator)
}
