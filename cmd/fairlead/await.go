package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// pollTime is how often etcd is asked while somebody waits.
const pollTime = 250 * time.Millisecond

// await waits until all clients of a service that obey rules have applied or
// refused a revision.
func (s *session) await(ctx context.Context, service string, revision int64, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	var seen answers
	for {
		var clients []etcd.Client
		err := s.operate(ctx, func(ctx context.Context, o *etcd.Operator) (err error) {
			clients, err = o.Clients(ctx, service)
			return err
		})
		late := errors.Is(ctx.Err(), context.DeadlineExceeded)
		if err != nil && !late {
			return err
		}
		if err == nil {
			seen = answersOf(clients, revision)
		}
		switch {
		case len(seen.refused) > 0 && len(seen.missing) == 0:
			return fmt.Errorf("%d of %s refused revision %d:\n%s", len(seen.refused), counted(seen.obedient, "client"), revision, strings.Join(seen.refused, "\n"))
		case err == nil && len(seen.missing) == 0:
			if s.output == asTable {
				fmt.Fprintf(s.stdout, "obeyed by %s\n", counted(seen.obedient, "client"))
			}
			return nil
		case late:
			return fmt.Errorf("after %s revision %d is not answered by %s:\n%s", within, revision, counted(len(seen.missing), "client"), strings.Join(append(seen.refused, seen.missing...), "\n"))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
	}
}

// answers is what clients say of a revision.
type answers struct {
	obedient         int      // clients that obey rules at all
	refused, missing []string // as lines
}

func answersOf(clients []etcd.Client, revision int64) (a answers) {
	for _, c := range clients {
		if c.Edition == 0 {
			continue
		}
		a.obedient++
		name := cell(c.Service) + "/" + cell(c.ID)
		switch {
		case c.Refused >= revision:
			a.refused = append(a.refused, fmt.Sprintf("%s refused it: %s", name, cell(c.Reason)))
		case c.Applied < revision:
			a.missing = append(a.missing, fmt.Sprintf("%s obeys revision %d", name, c.Applied))
		}
	}
	return a
}
