package discovery

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// SavedDocument is what a registry said of a service, or of all services, beside
// its instances, as it is kept in a [SnapshotDir]: rules and settings.
type SavedDocument struct {
	// Service is whom it is about; empty: all.
	Service string `json:"service,omitempty"`
	// Text is the document; nil says that there was none.
	Text []byte `json:"text"`
	// Revision and Origin are as the registry gave them.
	Revision int64  `json:"revision"`
	Origin   string `json:"origin,omitempty"`
	// AsOf is when the registry last vouched for it.
	AsOf time.Time `json:"asOf"`
}

// documentFile names the file of a service's document, and that of all services
// in a way that no service can be called.
func documentFile(service string) string {
	if service == "" {
		return ".settings"
	}
	return savedName(service) + ".rules"
}

// SaveDocument replaces the document of its service; a zero AsOf means now. It
// is as [SnapshotDir.Save] is.
func (d SnapshotDir) SaveDocument(s SavedDocument) error {
	if err := d.validateFor(s.Service); err != nil {
		return err
	}
	if s.AsOf.IsZero() {
		s.AsOf = time.Now().UTC()
	}
	document, err := json.Marshal(s)
	if err != nil { // a time beyond the year 9999
		return fmt.Errorf("%w: document of %q: %w", ErrInvalid, s.Service, err)
	}
	data, err := seal(documentFormat, document)
	if err == nil {
		err = d.write(documentFile(s.Service), data)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", filepath.Join(string(d), documentFile(s.Service)), err)
	}
	return nil
}

// LoadDocument reads the document of a service that was saved last, or that of
// all services. Its errors are those of [SnapshotDir.Load].
func (d SnapshotDir) LoadDocument(service string) (SavedDocument, error) {
	none := SavedDocument{Service: service}
	if err := d.validateFor(service); err != nil {
		return none, err
	}
	s, err := d.loadDocument(service)
	if err != nil {
		return none, fmt.Errorf("load %s: %w", filepath.Join(string(d), documentFile(service)), err)
	}
	return s, nil
}

func (d SnapshotDir) loadDocument(service string) (s SavedDocument, err error) {
	data, err := d.read(documentFile(service))
	if err != nil {
		return s, err
	}
	document, err := unseal(documentFormat, data)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(document, &s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if s.Service != service {
		return s, fmt.Errorf("%w: of the service %q", ErrInvalid, clip(s.Service))
	}
	return s, nil
}

func (d SnapshotDir) validateFor(service string) error {
	if err := d.Validate(); err != nil || service == "" {
		return err
	}
	return ValidateService(service)
}
