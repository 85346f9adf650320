package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Stage names the part of the pipeline that an [Error] comes from.
type Stage string

// The stages that fail by themselves.
const (
	StageList   Stage = "list"   // waiting for the first list of the service
	StageWait   Stage = "wait"   // waiting for an instance, as [WaitForReady] asks, or for its turn in a limit
	StagePick   Stage = "pick"   // nobody to send the attempt to
	StageSend   Stage = "send"   // the attempt itself
	StageClosed Stage = "closed" // the mesh was closed
)

// ErrClosed is wrapped by the errors of a mesh after its Close.
var ErrClosed = errors.New("mesh is closed")

// Error is what a call fails with when it was not the server's own answer. It
// wraps the cause, so that errors.Is finds context errors, [net.Error] values
// and the sentinels of the algorithm packages, such as
// balancer.ErrNoInstances.
type Error struct {
	Stage    Stage
	Class    Class
	Service  string
	Method   string
	Instance string // ID of the last instance tried, "" if none was
	Attempts int    // how many were sent to an instance
	// MaybeExecuted says that a server may have executed the call.
	MaybeExecuted bool
	RetryAfter    time.Duration
	Err           error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fairlead: %s", e.Service)
	if e.Method != "" {
		fmt.Fprintf(&b, " %s", e.Method)
	}
	fmt.Fprintf(&b, ": %s", e.Stage)
	if e.Instance != "" {
		fmt.Fprintf(&b, ", instance %s", e.Instance)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	if e.MaybeExecuted {
		b.WriteString(", maybe executed")
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, as [net.Error] and [net/http.Client]
// ask it.
func (e *Error) Timeout() bool {
	return e.Class == Timeout || errors.Is(e.Err, context.DeadlineExceeded)
}

// Temporary completes [net.Error].
//
// Deprecated: as in package net, it says nothing of use.
func (e *Error) Temporary() bool { return e.Timeout() }
