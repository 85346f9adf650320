package discovery

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"time"
)

// ownFile is the file of a registration as it should stand.
type ownFile struct {
	dir         string // of all services
	service     string
	name        string
	incarnation string
	value       []byte
}

// fileDiffers says that the file is not what it should be.
type fileDiffers struct{ path, what string }

func (e *fileDiffers) Error() string { return e.path + " " + e.what }

func (o ownFile) differs(what string) error { return &fileDiffers{o.service + "/" + o.name, what} }

// put writes the record, so that nobody ever reads a part of it, and reads it
// back.
func (o ownFile) put() error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir(o.service, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	own, err := root.OpenRoot(o.service)
	if err != nil {
		return err
	}
	defer own.Close()

	temporary := o.name + "." + o.incarnation + temporarySuffix
	err = writeFile(own, temporary, o.value)
	if err == nil {
		err = own.Rename(temporary, o.name)
	}
	if err != nil {
		own.Remove(temporary)
		return err
	}
	return o.check(own)
}

func writeFile(own *os.Root, name string, value []byte) error {
	f, err := own.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync() // else a power cut may leave an empty file, which never expires
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return touch(own, name)
}

func touch(own *os.Root, name string) error {
	now := time.Now()
	return own.Chtimes(name, now, now)
}

// renew checks the file and makes it young. It returns a [*fileDiffers] where
// the file is missing or holds something else.
func (o ownFile) renew() error {
	own, err := o.open()
	if err == nil {
		defer own.Close()
		err = o.check(own)
	}
	if err == nil {
		err = touch(own, o.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return o.differs("is missing")
	}
	return err
}

func (o ownFile) check(own *os.Root) error {
	b, info, err := readFile(own, o.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.differs("is missing")
	case err != nil && info == nil:
		return err
	case bytes.Equal(b, o.value):
		return nil
	case incarnationOf(b) == o.incarnation || incarnationOf(b) == "":
		return o.differs("was changed")
	}
	return o.differs("was taken over by another registration")
}

// remove deletes the file unless it is no longer ours: a process that took
// over the name keeps it. Who takes it over between our look and our deletion
// finds that out when it renews its file.
func (o ownFile) remove() error {
	own, err := o.open()
	if err == nil {
		defer own.Close()
		var b []byte
		var info fs.FileInfo
		b, info, err = readFile(own, o.name)
		if info != nil && incarnationOf(b) != o.incarnation {
			return nil
		}
	}
	if err == nil {
		err = own.Remove(o.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// open opens the directory of the service.
func (o ownFile) open() (*os.Root, error) {
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenRoot(o.service)
}
