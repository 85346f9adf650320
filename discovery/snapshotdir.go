package discovery

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// SnapshotDir is a directory with the last known list of each service, so that
// a process can begin its work while the registry is down. Its file of a
// service is replaced as a whole and synced: whenever the machine stops, a
// reader finds the list of before or the list of after. Files can be read and
// written by their owner only.
//
// It belongs on a local disk and may be shared by processes of one user. All
// methods may be called concurrently. They keep nothing open: a directory that
// was deleted comes back with the next Save.
type SnapshotDir string

// maxSnapshotFile bounds a file, on write and on read: 10 000 instances take
// some 2 MB.
const maxSnapshotFile = 64 << 20

// abandoned is how old a temporary file is when nobody is writing it any more.
const abandoned = time.Minute

// Validate reports a path that is not absolute as a [*FieldError]: it would
// mean another directory after a change of the working directory.
func (d SnapshotDir) Validate() error {
	if !filepath.IsAbs(string(d)) {
		return &FieldError{Field: "SnapshotDir", Value: string(d), Allowed: "an absolute path"}
	}
	return nil
}

// Path returns the file of a service, "" if that is no name of a service.
func (d SnapshotDir) Path(service string) string {
	if ValidateService(service) != nil {
		return ""
	}
	return filepath.Join(string(d), snapshotFile(service))
}

// snapshotFile names the file of a valid service. The longest names, which no
// file system would take with a suffix, are hashed: to 64 hex digits, which is
// a longer label than a service can have.
func snapshotFile(service string) string { return savedName(service) + ".instances" }

func savedName(service string) string {
	if len(service) > 200 {
		sum := sha256.Sum256([]byte(service))
		service = hex.EncodeToString(sum[:])
	}
	return service
}

// Save writes a snapshot, which must not be Cold; a zero AsOf means now. The
// directory is made if it is missing, with mode 0700. After an error the file is
// what it was, save that the error may be that of the last step, the sync of
// the directory.
func (d SnapshotDir) Save(s Snapshot) error {
	if err := d.Validate(); err != nil {
		return err
	}
	data, err := encodeSnapshot(s, time.Now())
	if err != nil {
		return err
	}
	if err := d.write(snapshotFile(s.Service), data); err != nil {
		return fmt.Errorf("save %s: %w", d.Path(s.Service), err)
	}
	return nil
}

// Load reads what was last saved of a service. The snapshot is Stale, and AsOf
// says since when. What the file holds is held to the rules of a registry: bad
// records, and all but the first with the same ID, are skipped and counted in
// Refused.
//
// The error wraps [fs.ErrNotExist] where nothing was saved, and [ErrInvalid]
// where the file cannot be trusted: it is damaged, too large, of another
// service or of a later format, no regular file, owned by neither this user
// nor root, or everybody may write it. Write permission of the group is no
// reason, since Kubernetes adds it to all files of a volume with an fsGroup.
// Nothing of such a file is used; it stays where it is until the next Save.
func (d SnapshotDir) Load(service string) (Snapshot, error) {
	none := Snapshot{Service: service}
	if err := d.Validate(); err != nil {
		return none, err
	}
	if err := ValidateService(service); err != nil {
		return none, err
	}
	data, err := d.read(snapshotFile(service))
	if err != nil {
		return none, fmt.Errorf("load %s: %w", d.Path(service), err)
	}
	s, err := decodeSnapshot(service, data)
	if err != nil {
		return none, fmt.Errorf("load %s: %w", d.Path(service), err)
	}
	return s, nil
}

func (d SnapshotDir) read(name string) ([]byte, error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// First of all: to open a pipe could wait for ever.
	if info, err := root.Lstat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file but %s", ErrInvalid, info.Mode())
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: not a regular file but %s", ErrInvalid, info.Mode())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0: // Windows has no such bits
		return nil, fmt.Errorf("%w: everybody may write it (%s)", ErrInvalid, info.Mode())
	case !trustedOwner(info):
		return nil, fmt.Errorf("%w: owned by neither this user nor root", ErrInvalid)
	case info.Size() > maxSnapshotFile:
		return nil, tooLarge(info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSnapshotFile+1))
	if err == nil && len(data) > maxSnapshotFile { // it grew
		err = tooLarge(int64(len(data)))
	}
	return data, err
}

func tooLarge(size int64) error {
	return fmt.Errorf("%w: of %d bytes, at most %d are allowed", ErrInvalid, size, maxSnapshotFile)
}

// write replaces the file by way of a temporary one of a name that no other
// process uses.
func (d SnapshotDir) write(name string, data []byte) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return err
	}
	defer root.Close()
	removeAbandoned(root, name)
	temporary := name + "." + rand.Text() + temporarySuffix
	err = create(root, temporary, data)
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary) // it may not be there
		return err
	}
	return syncDir(root)
}

// removeAbandoned removes the temporary files of processes that died while they
// wrote one.
func removeAbandoned(root *os.Root, name string) {
	left, _ := fs.Glob(root.FS(), name+".*"+temporarySuffix) // a service's name has no metacharacters
	for _, file := range left {
		if info, err := root.Lstat(file); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = root.Remove(file)
		}
	}
}

// create writes a new file that is on the disk when create returns.
func create(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a rename outlast a loss of power, where directories can be
// synced.
func syncDir(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
