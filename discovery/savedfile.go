package discovery

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// saveFile replaces a file by v in the format given.
func (d SnapshotDir) saveFile(name, format string, v any) error {
	document, err := json.Marshal(v)
	if err != nil { // a time beyond the year 9999
		return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	data, err := seal(format, document)
	if err == nil {
		err = d.write(name, data)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", filepath.Join(string(d), name), err)
	}
	return nil
}

// loadFile reads what saveFile wrote into v, which check then accepts or not.
func (d SnapshotDir) loadFile(name, format string, v any, check func() error) error {
	data, err := d.read(name)
	if err == nil {
		err = openFile(data, format, v, check)
	}
	if err != nil {
		return fmt.Errorf("load %s: %w", filepath.Join(string(d), name), err)
	}
	return nil
}

func openFile(data []byte, format string, v any, check func() error) error {
	document, err := unseal(format, data)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(document, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return check()
}
