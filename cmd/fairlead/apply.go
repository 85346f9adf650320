package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

// putting says how rules are put.
type putting struct {
	force bool
	wait  time.Duration
}

func (p *putting) define(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.force, "force", false, "write even if some clients cannot read the document, or they cannot be listed")
	cmd.Flags().DurationVar(&p.wait, "wait", 0, "wait that long for all clients to obey the document; exit 1 if one refuses it or is late")
}

const aboutClients = `
Clients that cannot read the document, because their version of fairlead is too
old for it, have it refused, unless --force. --wait looks at all clients that
obey rules. Both know of clients that have a name: a process that registered no
service and was given none (etcd.Config.Caller) is not listed in etcd.`

func (s *session) apply() *cobra.Command {
	var how putting
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make a document the rules of its service",
		Long: `Makes a document in YAML or JSON, "-" being the input, the rules of the service
that it names. One that says what the rules say already is not written again.
If somebody else changes them at the same moment, nothing is written.
` + aboutClients,
		Example: "  fairlead rules apply orders.yaml --reason 'canary at 5%' --wait 30s",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := policies().good(s, args[0])
			if err != nil {
				return err
			}
			return s.put(cmd.Context(), p.Spec.Service, how, func(context.Context, *etcd.Operator, etcd.RuleVersion) (rule.Policy, string, error) {
				return p, args[0], nil
			})
		},
	}
	how.define(cmd)
	return cmd
}

// chooser returns the policy to put in the place of what stands, and the name
// that it is known by.
type chooser func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (rule.Policy, string, error)

// put makes the policy that choose returns the rules of a service.
func (s *session) put(ctx context.Context, service string, how putting, choose chooser) error {
	var now etcd.RuleVersion
	err := s.operate(ctx, func(ctx context.Context, o *etcd.Operator) error {
		stands, err := o.Rules(ctx, service)
		if err != nil {
			return err
		}
		p, name, err := choose(ctx, o, stands)
		if err != nil {
			return err
		}
		diff, err := policies().difference(stands, p, name)
		if err != nil {
			return err
		}
		if diff == "" {
			now = stands
			return s.tell(outcome{Done: fmt.Sprintf("rules of %s: unchanged at revision %d", service, stands.Revision), Version: stands.Number, Revision: stands.Revision})
		}
		said := outcome{}
		clients, err := o.Clients(ctx, service)
		switch {
		case errors.Is(err, discovery.ErrUnauthorized) && how.force:
			said.Notes = append(said.Notes, "clients cannot be listed: "+err.Error())
		case err != nil:
			return err
		default:
			said.Clients = new(len(clients))
			said.Notes = append(said.Notes, counted(len(clients), "client")+" known")
		}
		if blind := unable(clients, p); blind != "" {
			if !how.force {
				return fmt.Errorf("%s; nothing was written. Upgrade them first, or say --force", blind)
			}
			said.Notes = append(said.Notes, blind)
		}
		if s.dryRun {
			said.DryRun, said.Diff, said.Done = true, diff, fmt.Sprintf("rules of %s: would be written (dry run)", service)
			return s.tell(said)
		}
		var before etcd.RuleVersion
		if now, before, err = o.PutRules(ctx, p, stands.Revision, s.note); err != nil {
			return unsure(err)
		}
		said.Done, said.Version, said.Revision = fmt.Sprintf("rules of %s: version %d written at revision %d", service, now.Number, now.Revision), now.Number, now.Revision
		s.undoVersion(&said, before, "rules", service)
		return s.tell(said)
	})
	if err != nil || how.wait <= 0 || now.Text == nil {
		return err
	}
	return s.await(ctx, service, now.Revision, how.wait)
}

// undoVersion says how to get back to what stood before, with the verbs of a
// group for a service, if it is for one.
func (s *session) undoVersion(said *outcome, before etcd.RuleVersion, group string, service ...string) {
	switch {
	case before.Number > 0:
		said.Undo = s.undo(slices.Concat([]string{group, "rollback"}, service, []string{strconv.FormatInt(before.Number, 10)})...)
	case before.Text == nil:
		said.Undo = s.undo(slices.Concat([]string{group, "delete"}, service)...)
	default:
		said.Notes = append(said.Notes, "what stood before was no valid document and cannot be put back")
	}
}

// unable names the clients that cannot read a policy, by the versions of their
// library; nothing if all can.
func unable(clients []etcd.Client, p rule.Policy) string {
	libraries, total := map[string]int{}, 0
	for _, c := range clients {
		if !c.Reads(p) {
			library := cell(c.Library)
			if c.Library == "" {
				library = "an unknown version"
			}
			libraries[library]++
			total++
		}
	}
	if total == 0 {
		return ""
	}
	var each []string
	for _, library := range slices.Sorted(maps.Keys(libraries)) {
		each = append(each, fmt.Sprintf("%d of %s", libraries[library], library))
	}
	return fmt.Sprintf("%d of %s cannot read this document, which needs edition %d: %s", total, counted(len(clients), "client"), p.Edition(), strings.Join(each, ", "))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
