package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) services() *cobra.Command {
	return &cobra.Command{
		Use:   "services",
		Short: "List services: those with instances, rules or clients",
		Long: `Lists the services that have instances, rules or clients.

Clients are the processes that call a service and have a name, because they
registered a service of their own or were given one (etcd.Config.Caller). Those
without a name are not shown and not counted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				all, err := o.Services(ctx)
				if err != nil {
					return err
				}
				return s.show(all, func(w io.Writer) {
					var rows [][]string
					for _, v := range all {
						rules := ""
						if v.Rules != 0 {
							rules = "revision " + strconv.FormatInt(v.Rules, 10)
						}
						rows = append(rows, []string{v.Service, strconv.Itoa(v.Instances), strconv.Itoa(v.Draining), strconv.Itoa(v.Refused), rules, strconv.Itoa(v.Clients)})
					}
					table(w, "SERVICE INSTANCES DRAINING REFUSED RULES CLIENTS", rows)
				})
			})
		},
	}
}
