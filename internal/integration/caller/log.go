package caller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// lines is a log handler that counts what it would write, and keeps the first
// warnings.
type lines struct {
	n atomic.Int64

	mu       sync.Mutex // guards all below
	warnings []string
}

// kept is how many warnings are.
const kept = 100

// Enabled implements slog.Handler.
func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.n.Add(1)
	if r.Level < slog.LevelWarn {
		return nil
	}
	var text strings.Builder
	text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&text, " %s", a)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.warnings) < kept {
		l.warnings = append(l.warnings, text.String())
	}
	return nil
}

// warned returns the warnings, each with its attributes as name=value.
func (l *lines) warned() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.warnings)
}

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(string) slog.Handler { return l }
