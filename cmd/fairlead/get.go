package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) get() *cobra.Command {
	return &cobra.Command{
		Use:   "get SERVICE",
		Short: "Write the rules of a service, in YAML or JSON",
		Long: `Writes the rules of a service as a document that apply takes, in YAML unless
-o says json. Exits 1 if there are none.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				v, err := o.Rules(ctx, args[0])
				if err != nil {
					return err
				}
				if v.Text == nil {
					return fmt.Errorf("%s has no rules", args[0])
				}
				return policies().show(s, v)
			})
		},
	}
}

// show writes a version so that it can be read again.
func (f form[T]) show(s *session, v etcd.RuleVersion) error {
	d, err := f.json(v.Text)
	if err != nil {
		fmt.Fprintln(s.stdout, printableLines(string(v.Text))) // nothing else is to be had of it
		return fmt.Errorf("what stands there at revision %d is no valid document, and no client obeys it: %w", v.Revision, err)
	}
	if s.output == asJSON {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if text, err = indented(text); err != nil {
			return err
		}
		_, err = s.stdout.Write(text)
		return err
	}
	text, err := f.written(d)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "# %s\n%s", version(v), text)
	return err
}

// version names a version for people.
func version(v etcd.RuleVersion) string {
	if v.Number == 0 {
		return fmt.Sprintf("revision %d", v.Revision)
	}
	return fmt.Sprintf("version %d, revision %d", v.Number, v.Revision)
}
