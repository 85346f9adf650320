package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) delete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete SERVICE",
		Short: "Take back the rules of a service, so that what code set holds",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				service := args[0]
				stands, err := o.Rules(ctx, service)
				if err != nil {
					return err
				}
				switch {
				case stands.Text == nil:
					return s.tell(outcome{Done: fmt.Sprintf("rules of %s: unchanged, there are none", service)})
				case s.dryRun:
					return s.tell(outcome{DryRun: true, Done: fmt.Sprintf("rules of %s: would be deleted (dry run)", service)})
				}
				now, before, err := o.DeleteRules(ctx, service, stands.Revision, s.note)
				if err != nil {
					return unsure(err)
				}
				said := outcome{Done: fmt.Sprintf("rules of %s: deleted at revision %d", service, now.Revision), Version: now.Number, Revision: now.Revision}
				s.undoVersion(&said, before, "rules", service)
				return s.tell(said)
			})
		},
	}
}
