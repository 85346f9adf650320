package discovery

import (
	"log/slog"
	"os"
	"strings"
	"time"
)

const (
	temporarySuffix = ".tmp"
	// litterAge is how long what dead processes left may lie about: long
	// enough that nobody is mistaken for dead when the clock is set.
	litterAge = 24 * time.Hour
)

// sweep removes what processes that were killed have left in the directory of
// a service: records that expired a day ago and half-written files. What people
// wrote has no TTL and stays. A failure harms nobody.
func sweep(o ownFile, now time.Time, log *slog.Logger) {
	own, err := o.open()
	if err != nil {
		log.Debug("expired instance files stay", "service", o.service, "error", err)
		return
	}
	defer own.Close()
	names, err := fileNames(own)
	if err != nil {
		log.Debug("expired instance files stay", "service", o.service, "error", err)
	}
	for _, name := range names {
		if err := sweepFile(own, o.service, name, now); err != nil {
			log.Debug("expired instance file stays", "service", o.service, "file", name, "error", err)
		}
	}
}

func sweepFile(own *os.Root, service, name string, now time.Time) error {
	info, err := own.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < litterAge {
		return err
	}
	switch {
	case strings.HasSuffix(name, fileSuffix):
		b, _, err := readFile(own, name)
		if err != nil {
			return err
		}
		_, ttl, err := decodeFile(service, name, b)
		if err != nil || ttl == 0 || now.Sub(info.ModTime()) < ttl+litterAge {
			return err
		}
	case strings.HasSuffix(name, temporarySuffix) && strings.Contains(name, fileSuffix+"."):
	default:
		return nil
	}
	return own.Remove(name)
}
