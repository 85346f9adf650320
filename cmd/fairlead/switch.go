package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

func (s *session) off() *cobra.Command {
	return s.switching("off FEATURE...", "Take features out of service", cobra.MinimumNArgs(1), func(features []string) (flip, error) {
		return flip{features: features, off: true}, known(features)
	})
}

func (s *session) on() *cobra.Command {
	return s.switching("on FEATURE...", "Take back off", cobra.MinimumNArgs(1), func(features []string) (flip, error) {
		return flip{features: features}, known(features)
	})
}

func (s *session) safeMode() *cobra.Command {
	return s.switching("safe-mode on|off", "Plain round robin, as if no document had ever been written", cobra.ExactArgs(1), func(args []string) (flip, error) {
		if args[0] != "on" && args[0] != "off" {
			return flip{}, fmt.Errorf("safe-mode %q: allowed are on and off", args[0])
		}
		return flip{safeMode: true, off: args[0] == "on"}, nil
	})
}

// switching is a command that edits the settings.
func (s *session) switching(use, short string, args cobra.PositionalArgs, read func([]string) (flip, error)) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `.

Edits the settings and leaves the rest of them as it is. What is said of all
services and what is said of one add up: to take back the one leaves the other.
Settings that say nothing any more are deleted.

Features are ` + strings.Join(rule.Features(), ", ") + `.`,
		Args: args,
	}
	cmd.Flags().StringVar(&service, "service", "", "only for calls to this service (default: all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := read(args)
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("service") { // empty by mistake would be everywhere
			if err := discovery.ValidateService(service); err != nil {
				return fmt.Errorf("--service: %w", err)
			}
		}
		name := strings.Join(append([]string{"settings", cmd.Name()}, args...), " ")
		return s.putSettings(cmd.Context(), func(ctx context.Context, o *etcd.Operator, stands etcd.RuleVersion) (p proposal, err error) {
			p.name = name
			if p.settings, err = f.edit(stands, service); err == nil && f.off && service != "" {
				p.notes, err = doubts(ctx, o, service)
			}
			return p, err
		})
	}
	return cmd
}

func known(features []string) error {
	for _, name := range features {
		if !slices.Contains(rule.Features(), name) {
			return fmt.Errorf("feature %q: allowed are %s", name, strings.Join(rule.Features(), ", "))
		}
	}
	return nil
}

// doubts says where the name of a service may be misspelt. It may be right: not
// all instances stand in etcd, and trouble cannot wait.
func doubts(ctx context.Context, o *etcd.Operator, service string) ([]string, error) {
	all, err := o.Instances(ctx, service)
	switch {
	case errors.Is(err, discovery.ErrUnauthorized):
		return []string{"instances cannot be listed: " + err.Error()}, nil
	case err == nil && len(all) == 0:
		return []string{service + " has no instance in etcd just now"}, nil
	}
	return nil, err
}
