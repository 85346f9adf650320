package discovery

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"time"
)

// Limits of FileConfig.TTL.
const (
	minFileTTL = time.Second
	maxFileTTL = time.Hour
)

// FileConfig says where the files are. Only Dir has no usable zero value.
type FileConfig struct {
	// Dir holds a directory for each service. It need not exist yet: what is
	// missing is made, with mode 0700, by the first registration.
	Dir string
	// Interval is how often the files are looked at, at least 10 ms; each time
	// it is made up to a fifth shorter. Zero means 1 s.
	Interval time.Duration
	// TTL is how long the record of a process that died counts, from 1 s to
	// 1 h. Zero means 15 s.
	TTL time.Duration
	// Logger is told of every change of state. Nil means slog.Default().
	Logger *slog.Logger
}

// Open returns a new [File] for these settings; the caller closes it. It is
// [NewFile] for those who open registries of several kinds.
func (c FileConfig) Open() (Registry, error) {
	f, err := NewFile(c)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Validate reports the first bad field as a [*FieldError].
func (c FileConfig) Validate() error {
	if c.Dir == "" {
		return &FieldError{Field: "FileConfig.Dir", Value: c.Dir, Allowed: "the path of a directory"}
	}
	if c.TTL != 0 && (c.TTL < minFileTTL || c.TTL > maxFileTTL) {
		return &FieldError{Field: "FileConfig.TTL", Value: c.TTL, Allowed: "0 (meaning 15s) or " + minFileTTL.String() + " to " + maxFileTTL.String()}
	}
	return validateInterval("FileConfig.Interval", c.Interval, time.Second)
}

// normalize fills in the defaults, and keeps a relative path from following
// the process to other directories.
func (c FileConfig) normalize() (FileConfig, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, err
	}
	c.Dir = dir
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.TTL = cmp.Or(c.TTL, 15*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, nil
}
