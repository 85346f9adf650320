package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) diff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what a document would change of the rules in etcd",
		Long: `Compares a document with the rules of its service in etcd, both written in the
same way, so that comments, order and spacing of the file do not count. Exits 0
whether they differ or not.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := policies().good(s, args[0])
			if err != nil {
				return err
			}
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				stands, err := o.Rules(ctx, p.Spec.Service)
				if err != nil {
					return err
				}
				diff, err := policies().difference(stands, p, args[0])
				if err != nil {
					return err
				}
				return s.show(struct {
					Service  string `json:"service"`
					Revision int64  `json:"revision"`
					Diff     string `json:"diff"`
				}{p.Spec.Service, stands.Revision, diff}, func(w io.Writer) {
					if diff == "" {
						fmt.Fprintf(w, "rules of %s: unchanged\n", p.Spec.Service)
					}
					fmt.Fprint(w, printableLines(diff))
				})
			})
		},
	}
}

// difference is what v, known by a name, would change; nothing if it says the
// same.
func (f form[T]) difference(stands etcd.RuleVersion, v T, name string) (string, error) {
	before := ""
	if stands.Text != nil {
		before = string(stands.Text) + "\n"
		if old, err := f.json(stands.Text); err == nil {
			text, err := f.written(old)
			if err != nil {
				return "", err
			}
			before = string(text)
		}
	}
	after, err := f.written(v)
	if err != nil {
		return "", err
	}
	return unified(f.title(stands), name, before, string(after)), nil
}

// title names what stands in etcd.
func (f form[T]) title(v etcd.RuleVersion) string {
	if v.Text == nil {
		return "etcd (no " + f.what + ")"
	}
	return fmt.Sprintf("etcd (revision %d)", v.Revision)
}
