package discovery

import (
	"fmt"
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
	return d.saveFile(documentFile(s.Service), documentFormat, s)
}

// LoadDocument reads the document of a service that was saved last, or that of
// all services. Its errors are those of [SnapshotDir.Load].
func (d SnapshotDir) LoadDocument(service string) (SavedDocument, error) {
	none := SavedDocument{Service: service}
	if err := d.validateFor(service); err != nil {
		return none, err
	}
	var s SavedDocument
	err := d.loadFile(documentFile(service), documentFormat, &s, func() error { return savedOf(s.Service, service) })
	if err != nil {
		return none, err
	}
	return s, nil
}

// savedOf reports what was saved of another service than is wanted.
func savedOf(is, want string) error {
	if is != want {
		return fmt.Errorf("%w: of the service %q", ErrInvalid, clip(is))
	}
	return nil
}

func (d SnapshotDir) validateFor(service string) error {
	if err := d.Validate(); err != nil || service == "" {
		return err
	}
	return ValidateService(service)
}
