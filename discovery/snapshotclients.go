package discovery

import (
	"fmt"
	"time"
)

// SavedClients is how many called a service, as it is kept in a [SnapshotDir]: by
// this a process that cannot ask divides what all of them share.
type SavedClients struct {
	Service string `json:"service"`
	// Number is how many there were, itself included.
	Number int `json:"number"`
	// AsOf is when the registry said so.
	AsOf time.Time `json:"asOf"`
}

// mostSavedClients is more than there can be.
const mostSavedClients = 10_000_000

func clientsFile(service string) string { return savedName(service) + ".clients" }

// SaveClients replaces what was saved of the clients of a service; a zero AsOf
// means now. It is as [SnapshotDir.Save] is.
func (d SnapshotDir) SaveClients(s SavedClients) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if err := ValidateService(s.Service); err != nil {
		return err
	}
	if err := s.validNumber(); err != nil {
		return err
	}
	if s.AsOf.IsZero() {
		s.AsOf = time.Now().UTC()
	}
	return d.saveFile(clientsFile(s.Service), clientsFormat, s)
}

// LoadClients reads what was saved last of the clients of a service. Its errors
// are those of [SnapshotDir.Load].
func (d SnapshotDir) LoadClients(service string) (SavedClients, error) {
	none := SavedClients{Service: service}
	if err := d.Validate(); err != nil {
		return none, err
	}
	if err := ValidateService(service); err != nil {
		return none, err
	}
	var s SavedClients
	err := d.loadFile(clientsFile(service), clientsFormat, &s, func() error {
		if err := savedOf(s.Service, service); err != nil {
			return err
		}
		return s.validNumber()
	})
	if err != nil {
		return none, err
	}
	return s, nil
}

func (s SavedClients) validNumber() error {
	if s.Number < 0 || s.Number > mostSavedClients {
		return &FieldError{Field: "SavedClients.Number", Value: s.Number, Allowed: fmt.Sprintf("0 to %d", mostSavedClients)}
	}
	return nil
}
