package caller

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// lines is a log handler that counts what it would write.
type lines struct{ n atomic.Int64 }

// Enabled implements slog.Handler.
func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (l *lines) Handle(context.Context, slog.Record) error { l.n.Add(1); return nil }

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(string) slog.Handler { return l }
