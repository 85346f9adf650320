package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

func (s *session) settings() *cobra.Command {
	settings := &cobra.Command{
		Use:   "settings",
		Short: "Switch features off, for all services or for one",
		Long: `Settings are what an operator says in trouble, whatever the rules of the services
and their code say: one document for all of them, which every client obeys
within a second. off, on and safe-mode edit it; the other commands are for the
document as a whole.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	settings.AddCommand(s.off(), s.on(), s.safeMode(), s.checkSettings(), s.applySettings(), s.getSettings(), s.settingsHistory(), s.rollbackSettings(), s.deleteSettings())
	return settings
}

func (s *session) checkSettings() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE...",
		Short:   "Say all that is wrong with documents of settings, without asking etcd",
		Long:    "Is as rules check.",
		Example: "  fairlead settings check settings.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			return switchboards().check(s, files, func(rule.Settings) string { return "settings" })
		},
	}
}

func (s *session) getSettings() *cobra.Command {
	return &cobra.Command{
		Use:   "get",
		Short: "Write the settings, in YAML or JSON",
		Long: `Writes the settings as a document that apply takes, in YAML unless -o says json.
Exits 1 if there are none.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				v, err := o.Settings(ctx)
				if err != nil {
					return err
				}
				if v.Text == nil {
					return errors.New("there are no settings")
				}
				return switchboards().show(s, v)
			})
		},
	}
}

func (s *session) settingsHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the versions of the settings, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				all, err := o.SettingsHistory(ctx)
				if err != nil {
					return err
				}
				return s.versions(all)
			})
		},
	}
}

func (s *session) deleteSettings() *cobra.Command {
	return &cobra.Command{
		Use:   "delete",
		Short: "Take back the settings, so that rules and code hold everywhere",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.putSettings(cmd.Context(), func(context.Context, *etcd.Operator, etcd.RuleVersion) (proposal, error) {
				return proposal{}, nil
			})
		},
	}
}
