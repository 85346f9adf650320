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
			service, wanted := args[0], int64(0)
			if len(args) == 2 {
				n, err := strconv.ParseInt(args[1], 10, 64)
				if err != nil || n < 1 {
					return fmt.Errorf("version %q: allowed is a number from 1", args[1])
				}
				wanted = n
			}
			return s.put(cmd.Context(), service, how, func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (p rule.Policy, name string, err error) {
				all, err := o.History(ctx, service)
				if err != nil {
					return p, "", err
				}
				v, err := earlier(service, all, stands, wanted)
				if err != nil {
					return p, "", err
				}
				if p, err = rule.Decode(v.Text); err != nil {
					return p, "", fmt.Errorf("version %d of %s is no valid document any more: %w", v.Number, service, err)
				}
				return p, fmt.Sprintf("version %d", v.Number), nil
			})
		},
	}
	how.define(cmd)
	return cmd
}

// earlier finds the version to go back to: the one that is wanted; 0: the one
// before that which stands.
func earlier(service string, newestFirst []etcd.RuleVersion, stands etcd.RuleVersion, wanted int64) (etcd.RuleVersion, error) {
	for _, v := range newestFirst {
		switch {
		case wanted == 0 && v.Text != nil && (stands.Number == 0 || v.Number < stands.Number):
			return v, nil
		case wanted != v.Number || wanted == 0:
		case v.Malformed != "":
			return v, fmt.Errorf("version %d of %s cannot be understood: %s", wanted, service, v.Malformed)
		case v.Text == nil:
			return v, fmt.Errorf("version %d of %s is a deletion; fairlead rules delete %s does that", wanted, service, service)
		default:
			return v, nil
		}
	}
	switch n := len(newestFirst); {
	case n == 0:
		return etcd.RuleVersion{}, fmt.Errorf("no version of the rules of %s is kept", service)
	case wanted == 0:
		return etcd.RuleVersion{}, fmt.Errorf("no version of the rules of %s before that which stands is kept", service)
	default:
		return etcd.RuleVersion{}, fmt.Errorf("version %d of %s is not kept; there are %d to %d", wanted, service, newestFirst[n-1].Number, newestFirst[0].Number)
	}
}
