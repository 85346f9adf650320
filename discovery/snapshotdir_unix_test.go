//go:build unix

package discovery_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

func TestSnapshotDirIsForItsOwnerOnly(t *testing.T) {
	d := snapshotDir(t)
	path := save(t, d, fixture.Snapshot("orders", 1))
	if err := os.Chmod(path, 0o664); err != nil {
		t.Fatal(err)
	}
	save(t, d, fixture.Snapshot("orders", 2)) // over a file with a wider mode
	for path, want := range map[string]fs.FileMode{path: 0o600, string(d): 0o700 | fs.ModeDir, filepath.Dir(string(d)): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode(), err, want)
		}
	}
}

// What Load thinks of a good list, by what kind of file it is in.
func TestSnapshotDirTrustsOnlyFilesOfItsOwn(t *testing.T) {
	chmod := func(mode fs.FileMode) func(string) error {
		return func(path string) error { return os.Chmod(path, mode) }
	}
	instead := func(build func(path string) error) func(string) error {
		return func(path string) error {
			return errors.Join(os.Rename(path, path+"-moved"), build(path))
		}
	}
	for _, row := range []struct {
		name string
		turn func(path string) error
		says string // "": it is accepted
	}{
		{"as it was saved", chmod(0o600), ""},
		{"others may read", chmod(0o644), ""},
		{"the group may write", chmod(0o660), ""},
		{"others may write", chmod(0o602), "everybody"},
		{"everybody may do everything", chmod(0o777), "everybody"},
		{"of somebody else", func(path string) error { return os.Chown(path, os.Geteuid()+1, -1) }, "owned by neither"},
		{"a symbolic link within", instead(func(path string) error { return os.Symlink(filepath.Base(path)+"-moved", path) }), "not a regular file"},
		{"a symbolic link to elsewhere", instead(func(path string) error {
			outside := filepath.Join(filepath.Dir(filepath.Dir(path)), "outside")
			return errors.Join(os.Rename(path+"-moved", outside), os.Symlink(outside, path))
		}), "not a regular file"},
		{"a directory", instead(func(path string) error { return os.Mkdir(path, 0o700) }), "not a regular file"},
		{"a pipe, which is not waited for", instead(func(path string) error { return syscall.Mkfifo(path, 0o600) }), "not a regular file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := snapshotDir(t)
			path := save(t, d, fixture.Snapshot("orders", 1))
			if err := row.turn(path); errors.Is(err, fs.ErrPermission) {
				t.Skip("only root can do this:", err)
			} else if err != nil {
				t.Fatal(err)
			}
			s, err := d.Load("orders")
			if row.says == "" {
				if err != nil || len(s.Instances) != 1 {
					t.Errorf("got %+v, %v", s, err)
				}
				return
			}
			if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), row.says) || s.State != discovery.Cold || len(s.Instances) != 0 {
				t.Errorf("got %+v, %v; want an error that says %q", s, err, row.says)
			}
		})
	}
}
