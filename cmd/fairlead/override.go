package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
)

func (s *session) drain() *cobra.Command {
	return s.overriding("drain SERVICE ID", "Take an instance out of use; calls that run are finished", 2,
		func(o *etcd.Override, _ []string) error { o.Drain = true; return nil })
}

func (s *session) undrain() *cobra.Command {
	return s.overriding("undrain SERVICE ID", "Take back a drain", 2,
		func(o *etcd.Override, _ []string) error { o.Drain = false; return nil })
}

func (s *session) weight() *cobra.Command {
	return s.overriding("weight SERVICE ID N", "Give an instance another weight than it says; 0 takes that back", 3,
		func(o *etcd.Override, args []string) error {
			n, err := strconv.Atoi(args[2])
			if err != nil || n < 0 || n > discovery.MaxWeight {
				return fmt.Errorf("weight %q: allowed is 0, which takes it back, to %d", args[2], discovery.MaxWeight)
			}
			o.Weight = n
			return nil
		})
}

// overriding is a command that changes what is said of an instance.
func (s *session) overriding(use, short string, arguments int, change func(*etcd.Override, []string) error) *cobra.Command {
	var force bool
	var end string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `.

What is said of an instance stands beside its record, so that the instance
cannot take it back. It has one author, one reason and one end: those of the
last word.`,
		Args: cobra.ExactArgs(arguments),
	}
	cmd.Flags().BoolVar(&force, "force", false, "say it of an ID that no instance has just now")
	cmd.Flags().StringVar(&end, "until", "", "when what is said ends by itself, as in 2026-01-02T15:04:05Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := override{session: s, verb: cmd.Name(), service: args[0], id: args[1], force: force}
		if end != "" {
			until, err := time.Parse(time.RFC3339, end)
			if err != nil || !until.After(time.Now()) {
				return fmt.Errorf("--until %q: allowed is a time to come, as in 2026-01-02T15:04:05Z", end)
			}
			o.until = until.UTC()
		}
		if err := change(&etcd.Override{}, args); err != nil {
			return err
		}
		return s.operate(cmd.Context(), func(ctx context.Context, operator *etcd.Operator) error {
			return o.set(ctx, operator, func(word *etcd.Override) { change(word, args) })
		})
	}
	return cmd
}

// override is a change of what is said of one instance.
type override struct {
	*session
	verb, service, id string
	until             time.Time
	force             bool
}

func (o override) set(ctx context.Context, operator *etcd.Operator, change func(*etcd.Override)) error {
	v, err := operator.Override(ctx, o.service, o.id)
	if err != nil {
		return err
	}
	before := v.Override
	if !before.Until.IsZero() && !before.Until.After(time.Now()) {
		before = etcd.Override{} // it is over
	}
	after := before
	change(&after)
	who := fmt.Sprintf("instance %s of %s", o.id, o.service)
	same := after.Drain == before.Drain && after.Weight == before.Weight
	if same && v.Refused == "" && (after == etcd.Override{} || o.until.Equal(before.Until) && !o.flags.Changed("by") && !o.flags.Changed("reason")) {
		return o.tell(outcome{Done: who + ": unchanged; said is " + describe(before)})
	}
	if !after.Drain && after.Weight == 0 {
		after = etcd.Override{}
	} else {
		after.By, after.Reason, after.Until = o.note.By, o.note.Reason, o.until
		if err := o.known(ctx, operator); err != nil {
			return err
		}
	}
	said := outcome{Done: fmt.Sprintf("%s: said is %s", who, describe(after)), Undo: o.back(before)}
	if v.Refused != "" {
		said.Notes = append(said.Notes, "what was said before could not be understood and cannot be put back: "+v.Refused)
	}
	if o.dryRun {
		said.DryRun, said.Undo, said.Done = true, "", fmt.Sprintf("%s: would be said is %s (dry run)", who, describe(after))
		return o.tell(said)
	}
	if err := operator.SetOverride(ctx, o.service, o.id, after, v.Revision); err != nil {
		return unsure(err)
	}
	return o.tell(said)
}

// known refuses an ID that nobody has: a misspelt one would drain nothing.
func (o override) known(ctx context.Context, operator *etcd.Operator) error {
	if o.force {
		return nil
	}
	all, err := operator.Instances(ctx, o.service)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(r etcd.InstanceRecord) bool { return r.ID == o.id && (r.Instance != nil || r.Refused != "") }) {
		return nil
	}
	return fmt.Errorf("%s has no instance %s; nothing was written. fairlead instances %s lists those there are, --force says it all the same", o.service, o.id, o.service)
}

// back is the command that says what was said before.
func (o override) back(before etcd.Override) string {
	args := []string{o.verb, o.service, o.id}
	switch o.verb {
	case "weight":
		args = append(args, strconv.Itoa(before.Weight))
	case "drain", "undrain":
		args[0] = "undrain"
		if before.Drain {
			args[0] = "drain"
		}
	}
	if before != (etcd.Override{}) {
		args = append(args, "--by", before.By, "--reason", before.Reason)
		if !before.Until.IsZero() {
			args = append(args, "--until", before.Until.Format(time.RFC3339Nano))
		}
	}
	if o.force {
		args = append(args, "--force")
	}
	return o.undo(args...)
}
