package main

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/balancer"
)

// protocol is what the instances speak, as far as balancer cares.
const protocol = "redis"

// client sends commands to the instances of a pool, each to the one that is
// chosen for it. It is safe for concurrent use.
type client struct {
	pool     *balancer.Pool
	idle     idle
	attempts int // per command
}

// Do executes a command. The caller must not mind if that happens twice.
func (c *client) Do(ctx context.Context, args ...string) (reply string, err error) {
	var tried *balancer.Node
	for range c.attempts {
		node := c.pick(tried)
		if node == nil {
			return "", balancer.ErrNoInstances
		}
		ticket := node.Start(balancer.Now())
		reply, err = c.idle.exchange(ctx, node.Endpoint(protocol), args)
		result := judge(ctx, err)
		ticket.Done(balancer.Now(), result)
		if result < balancer.Failure {
			return reply, err // also where the caller made a mistake, or gave up
		}
		tried = node
	}
	return reply, err
}

// pick chooses an instance: another one than was tried, where there is one.
func (c *client) pick(tried *balancer.Node) (node *balancer.Node) {
	picker := c.pool.View().Picker(protocol)
	if picker == nil {
		return nil
	}
	for range 8 {
		node = picker.Pick(balancer.Request{Now: balancer.Now(), Rand: rand.Uint64(), Retry: tried != nil})
		if node != tried {
			break
		}
	}
	return node
}

// judge says what an answer tells of the instance.
func judge(ctx context.Context, err error) balancer.Result {
	reply, replied := errors.AsType[replyError](err)
	_, unreached := errors.AsType[*dialError](err)
	switch {
	case err == nil:
		return balancer.Success
	case replied && reply.refused():
		return balancer.Failure
	case replied:
		return balancer.Success // it did its work: the caller's mistake is found
	case errors.Is(ctx.Err(), context.Canceled):
		return balancer.Neutral // the caller gave up
	case unreached && ctx.Err() == nil:
		return balancer.Unreachable
	}
	return balancer.Failure // the connection broke, or it all took too long
}
