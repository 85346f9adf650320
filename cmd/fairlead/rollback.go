package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

func (s *session) rollback() *cobra.Command {
	var how putting
	cmd := &cobra.Command{
		Use:   "rollback SERVICE [VERSION]",
		Short: "Make an earlier version the rules of a service again",
		Long: `Writes an earlier document as a new version: the one before that which stands
or, if the rules were deleted, the last one there was; or the version that is
named. Deletions are passed over.
` + aboutClients,
		Example: "  fairlead rules rollback orders\n  fairlead rules rollback orders 7",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			service := args[0]
			wanted, err := wantedVersion(args[1:])
			if err != nil {
				return err
			}
			return s.put(cmd.Context(), service, how, func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (p rule.Policy, name string, err error) {
				all, err := o.History(ctx, service)
				if err != nil {
					return p, "", err
				}
				return policies().recall("the rules of "+service, all, stands, wanted)
			})
		},
	}
	how.define(cmd)
	return cmd
}

// wantedVersion reads an argument that may be missing; 0: it is.
func wantedVersion(args []string) (int64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("version %q: allowed is a number from 1", args[0])
	}
	return n, nil
}

// recall reads the version to go back to, and names it.
func (f form[T]) recall(what string, newestFirst []etcd.RuleVersion, stands etcd.RuleVersion, wanted int64) (d T, name string, err error) {
	v, err := earlier(what, newestFirst, stands, wanted)
	if err != nil {
		return d, "", err
	}
	if d, err = f.json(v.Text); err != nil {
		return d, "", fmt.Errorf("version %d of %s is no valid document any more: %w", v.Number, what, err)
	}
	return d, fmt.Sprintf("version %d", v.Number), nil
}

// earlier finds the version of some rules or of the settings to go back to: the one that is wanted; 0: the one
// before that which stands.
func earlier(what string, newestFirst []etcd.RuleVersion, stands etcd.RuleVersion, wanted int64) (etcd.RuleVersion, error) {
	for _, v := range newestFirst {
		switch {
		case wanted == 0 && v.Text != nil && (stands.Number == 0 || v.Number < stands.Number):
			return v, nil
		case wanted != v.Number || wanted == 0:
		case v.Malformed != "":
			return v, fmt.Errorf("version %d of %s cannot be understood: %s", wanted, what, v.Malformed)
		case v.Text == nil:
			return v, fmt.Errorf("version %d of %s is a deletion; delete does that", wanted, what)
		default:
			return v, nil
		}
	}
	switch n := len(newestFirst); {
	case n == 0:
		return etcd.RuleVersion{}, fmt.Errorf("no version of %s is kept", what)
	case wanted == 0:
		return etcd.RuleVersion{}, fmt.Errorf("no version of %s before that which stands is kept", what)
	default:
		return etcd.RuleVersion{}, fmt.Errorf("version %d of %s is not kept; there are %d to %d", wanted, what, newestFirst[n-1].Number, newestFirst[0].Number)
	}
}
