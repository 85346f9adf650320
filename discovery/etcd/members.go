package etcd

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// probeTimeout bounds the question whether a member answers.
	probeTimeout = time.Second
	// avoidTime is how long a member that did not answer is left alone.
	avoidTime = 30 * time.Second
)

// members keeps a client away from those of several endpoints that do not
// answer: it would go on giving every other call to one that lost its network,
// until the connection is declared dead, and one without a leader stays
// connected for ever. It belongs to the goroutine of its conn.
type members struct {
	log      *slog.Logger
	all      []string
	inUse    []string  // nil: all
	reviewed time.Time // when the others were left out
}

// avoid is told that a call over client was not answered.
func (m *members) avoid(ctx context.Context, client *clientv3.Client) {
	if len(m.all) > 1 && client != nil {
		m.use(client, m.answering(ctx, client))
	}
}

// restore brings back, after a while, what was left out, if it answers again.
// A client that was just made begins with all.
func (m *members) restore(ctx context.Context, client *clientv3.Client) {
	switch {
	case m.inUse == nil:
	case time.Since(m.reviewed) >= avoidTime:
		m.use(client, m.answering(ctx, client))
	case len(client.Endpoints()) != len(m.inUse):
		client.SetEndpoints(m.inUse...)
	}
}

func (m *members) use(client *clientv3.Client, answering []string) {
	if len(answering) == 0 || len(answering) == len(m.all) {
		answering = nil // who knows
	}
	if !slices.Equal(answering, m.inUse) {
		if answering != nil {
			m.log.Warn("etcd endpoints that do not answer are avoided", "all", m.all, "inUse", answering)
		} else {
			m.log.Info("all etcd endpoints are in use", "all", m.all)
		}
	}
	m.inUse, m.reviewed = answering, time.Now()
	if answering == nil {
		answering = m.all
	}
	client.SetEndpoints(answering...)
}

// answering asks all members at once, each over a connection of its own.
func (m *members) answering(ctx context.Context, client *clientv3.Client) []string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answers := make([]bool, len(m.all))
	var all sync.WaitGroup
	for n, endpoint := range m.all {
		all.Go(func() { // ends with probeTimeout
			r, err := client.Status(ctx, endpoint)
			answers[n] = err == nil && r.Leader != 0
		})
	}
	all.Wait()
	var answering []string
	for n, endpoint := range m.all {
		if answers[n] {
			answering = append(answering, endpoint)
		}
	}
	return answering
}
