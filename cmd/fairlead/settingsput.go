package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

func (s *session) applySettings() *cobra.Command {
	return &cobra.Command{
		Use:   "apply FILE",
		Short: "Make a document the settings",
		Long: `Makes a document in YAML or JSON, "-" being the input, the settings of all
services. One that says what stands already is not written again. If somebody
else changes them at the same moment, nothing is written.`,
		Example: "  fairlead settings apply settings.yaml --reason 'incident 7'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := switchboards().good(s, args[0])
			if err != nil {
				return err
			}
			return s.putSettings(cmd.Context(), func(context.Context, *etcd.Operator, etcd.RuleVersion) (proposal, error) {
				return proposal{settings: &d, name: args[0]}, nil
			})
		},
	}
}

func (s *session) rollbackSettings() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Make an earlier version the settings again",
		Long: `Writes an earlier document as a new version: the one before that which stands
or, if the settings were deleted, the last one there was; or the version that is
named. Deletions are passed over.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, err := wantedVersion(args)
			if err != nil {
				return err
			}
			return s.putSettings(cmd.Context(), func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (proposal, error) {
				all, err := o.SettingsHistory(ctx)
				if err != nil {
					return proposal{}, err
				}
				d, name, err := switchboards().recall("the settings", all, stands, wanted)
				return proposal{settings: &d, name: name}, err
			})
		},
	}
}

// proposal is what is to take the place of the settings that stand.
type proposal struct {
	settings *rule.Settings // nil: none
	name     string         // that they are known by
	notes    []string
}

// putSettings makes what choose returns the settings.
func (s *session) putSettings(ctx context.Context, choose func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (proposal, error)) error {
	return s.operate(ctx, func(ctx context.Context, o *etcd.Operator) error {
		stands, err := o.Settings(ctx)
		if err != nil {
			return err
		}
		p, err := choose(ctx, o, stands)
		if err != nil {
			return err
		}
		said := outcome{Version: stands.Number, Revision: stands.Revision, Notes: p.notes}
		if p.settings == nil {
			if stands.Text == nil {
				said.Done = "settings: unchanged, there are none"
				return s.tell(said)
			}
			return s.writeSettings(said, "deleted", func() (now, before etcd.RuleVersion, err error) {
				return o.DeleteSettings(ctx, stands.Revision, s.note)
			})
		}
		diff, err := switchboards().difference(stands, *p.settings, p.name)
		if err != nil {
			return err
		}
		said.Notes = append(switched(p.settings.Spec), p.notes...)
		if diff == "" {
			said.Done = fmt.Sprintf("settings: unchanged at revision %d", stands.Revision)
			return s.tell(said)
		}
		if s.dryRun {
			said.Diff = diff
		}
		return s.writeSettings(said, "written", func() (now, before etcd.RuleVersion, err error) {
			return o.PutSettings(ctx, *p.settings, stands.Revision, s.note)
		})
	})
}

// writeSettings says what write did or, in a dry run, would do.
func (s *session) writeSettings(said outcome, done string, write func() (now, before etcd.RuleVersion, err error)) error {
	if s.dryRun {
		said.DryRun, said.Version, said.Revision, said.Done = true, 0, 0, fmt.Sprintf("settings: would be %s (dry run)", done)
		return s.tell(said)
	}
	now, before, err := write()
	if err != nil {
		return unsure(err)
	}
	said.Version, said.Revision, said.Done = now.Number, now.Revision, fmt.Sprintf("settings: version %d, %s at revision %d", now.Number, done, now.Revision)
	s.undoVersion(&said, before, "settings")
	return s.tell(said)
}

// switched says what settings switch, a line for each of those concerned.
func switched(spec rule.SettingsSpec) (lines []string) {
	say := func(who string, w rule.Switches) {
		var what []string
		if w.SafeMode {
			what = append(what, "safe mode")
		}
		if len(w.Off) > 0 {
			what = append(what, strings.Join(w.Off, ", ")+" off")
		}
		if len(what) > 0 {
			lines = append(lines, who+": "+strings.Join(what, ", "))
		}
	}
	say("all services", spec.Switches)
	for _, service := range slices.Sorted(maps.Keys(spec.Services)) {
		say(service, spec.Services[service])
	}
	if len(lines) == 0 {
		return []string{"nothing is switched off"}
	}
	return lines
}
