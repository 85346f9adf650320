package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) instances() *cobra.Command {
	return &cobra.Command{
		Use:   "instances SERVICE",
		Short: "List the instances of a service, with what operators say of them",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				all, err := o.Instances(ctx, args[0])
				if err != nil {
					return err
				}
				return s.show(all, func(w io.Writer) {
					var rows [][]string
					for _, r := range all {
						i := r.Instance
						if i == nil {
							i = &discovery.Instance{}
						}
						weight := ""
						if r.Instance != nil && i.Weight == 0 {
							weight = strconv.Itoa(discovery.DefaultWeight)
						} else if r.Instance != nil {
							weight = strconv.Itoa(i.Weight)
						}
						rows = append(rows, []string{r.ID, i.Addr, weight, i.Zone, i.Version, state(r), said(r)})
					}
					table(w, "ID ADDRESS WEIGHT ZONE VERSION STATE OPERATOR", rows)
				})
			})
		},
	}
}

// state is how clients see an instance.
func state(r etcd.InstanceRecord) string {
	switch {
	case r.Refused != "":
		return "refused: " + r.Refused
	case r.Instance == nil:
		return "unknown"
	case r.Hidden:
		return "hidden by a younger one"
	case r.Surplus:
		return "passed over"
	case r.Instance.Draining:
		return "draining"
	}
	return "serving"
}

// said is what operators say of an instance.
func said(r etcd.InstanceRecord) string {
	if r.OverrideRefused != "" {
		return "refused: " + r.OverrideRefused
	}
	if r.Override == nil {
		return ""
	}
	return describe(*r.Override)
}

func describe(o etcd.Override) string {
	var words []string
	if o.Drain {
		words = append(words, "drain")
	}
	if o.Weight != 0 {
		words = append(words, fmt.Sprintf("weight %d", o.Weight))
	}
	if len(words) == 0 {
		return "nothing"
	}
	text := strings.Join(words, ", ")
	if !o.Until.IsZero() {
		text += " until " + o.Until.Format(time.RFC3339)
	}
	if o.By != "" {
		text += " by " + o.By
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}
