package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// directory is the directory of one service, as its files tell it. It belongs
// to one goroutine.
type directory struct {
	dir     string // of all services
	service string
	log     *slog.Logger
	files   map[string]*listedFile // by name
}

// listedFile is one file with the last good content it had.
type listedFile struct {
	info    fs.FileInfo // of what was read last; nil: it could not be read
	content listing
	expires time.Time // of content; zero: never
	trouble error     // why content is not what the file says now; nil: it is
}

func newDirectory(dir, service string, log *slog.Logger) *directory {
	return &directory{dir: dir, service: service, log: log.With("service", service), files: map[string]*listedFile{}}
}

// look implements the [look] of a [File]. The directories are opened each time:
// what is replaced under a name is noticed.
func (d *directory) look(ctx context.Context) (listing, error) {
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return listing{}, err
	}
	defer root.Close()
	own, err := root.OpenRoot(d.service)
	if errors.Is(err, fs.ErrNotExist) {
		clear(d.files)
		return listing{}, nil
	}
	if err != nil {
		return listing{}, err
	}
	defer own.Close()
	names, err := fileNames(own)
	if err != nil {
		return listing{}, err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		if strings.HasSuffix(name, fileSuffix) && !strings.HasPrefix(name, ".") {
			there[name] = d.refresh(own, name)
		}
		if ctx.Err() != nil {
			return listing{}, ctx.Err()
		}
	}
	maps.DeleteFunc(d.files, func(name string, _ *listedFile) bool { return !there[name] })
	return d.listing(time.Now()), nil
}

// fileNames lists what there is, in any order.
func fileNames(own *os.Root) ([]string, error) {
	f, err := own.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// refresh reads a file if it is not the one that was read last. It reports
// whether there is one at all.
func (d *directory) refresh(own *os.Root, name string) bool {
	f := d.files[name]
	if f == nil {
		f = &listedFile{}
		d.files[name] = f
	}
	info, err := own.Stat(name)
	if err == nil && f.info != nil && same(f.info, info) {
		return true
	}
	before := f.trouble
	if err == nil {
		f.info, err = d.read(own, name, f)
	} else {
		f.info = nil
	}
	f.trouble = err
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	d.tell(name, f, before)
	return true
}

func same(a, b fs.FileInfo) bool {
	return a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b)
}

// read takes in what a file says. If that is nothing sensible, what it said
// before remains, for as long as it would have. The info is as in readFile.
func (d *directory) read(own *os.Root, name string, f *listedFile) (fs.FileInfo, error) {
	b, info, err := readFile(own, name)
	if err != nil {
		return info, err
	}
	content, ttl, err := decodeFile(d.service, d.service+"/"+name, b)
	if err != nil {
		return info, err
	}
	f.content, f.expires = content, time.Time{}
	if ttl > 0 {
		// From here on this clock counts, which nobody sets.
		now := time.Now()
		age := max(0, now.Sub(info.ModTime()))
		f.expires = now.Add(ttl - min(age, ttl))
	}
	return info, nil
}

// readFile reads a regular file of a bearable size. Its info is that of the
// moment before; what changes meanwhile is read again. It is nil unless the
// error, if any, is of the file itself and stays until the file changes.
func readFile(own *os.Root, name string) ([]byte, fs.FileInfo, error) {
	info, err := own.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() { // a named pipe would keep us waiting for a writer
		return nil, info, errors.New("not a regular file")
	}
	f, err := own.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFile {
		return nil, info, fmt.Errorf("file has %d bytes, at most %d are allowed", info.Size(), maxFile)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > maxFile {
		return nil, nil, fmt.Errorf("file has more than %d bytes", maxFile)
	}
	return b, info, nil
}

// tell logs what was refused, once for each time that a file changes.
func (d *directory) tell(name string, f *listedFile, before error) {
	switch {
	case f.trouble != nil && (before == nil || before.Error() != f.trouble.Error()):
		d.log.Warn("instance file refused, its last good content counts", "file", name, "instances", len(f.content.instances), "reason", f.trouble)
	case f.trouble == nil && f.content.refused > 0:
		first := f.content.refusals[0]
		d.log.Warn("instance records skipped", "file", name, "refused", f.content.refused, "first", first.Key, "reason", first.Reason)
	}
}

// listing puts together what all files say. Where two say something of one ID,
// the first by name is believed.
func (d *directory) listing(now time.Time) listing {
	var all listing
	from := map[string]string{}        // ID to file
	youngest := map[string]*Instance{} // of those that expire, by address
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f, key := d.files[name], d.service+"/"+name
		if f.trouble != nil {
			all.refuse(key, f.trouble)
		}
		if !f.expires.IsZero() && !now.Before(f.expires) {
			continue
		}
		all.refuseAll(f.content)
		for _, i := range f.content.instances {
			if other, taken := from[i.ID]; taken {
				all.refuse(key, fmt.Errorf("ID %s is that of an instance in %s", i.ID, other))
				continue
			}
			from[i.ID] = name
			if f.expires.IsZero() {
				all.instances = append(all.instances, i)
			} else if other := youngest[i.Addr]; other == nil || younger(i, other) {
				youngest[i.Addr] = i
			}
		}
	}
	all.instances = slices.AppendSeq(all.instances, maps.Values(youngest))
	return all
}

// younger orders instances of one address: a process that died hard and came
// back has its old record beside the new one until that expires.
func younger(a, b *Instance) bool {
	return cmp.Or(a.StartedAt.Compare(b.StartedAt), strings.Compare(a.ID, b.ID)) > 0
}
