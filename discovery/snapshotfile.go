package discovery

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A file of a [SnapshotDir] is a header line and a JSON document:
//
//	fairlead-instances/1 sha256:<64 hex digits, of all that follows the line>
//	{"service":"orders","revision":7,"asOf":"…","instances":[…]}
//
// Files of other things have names and formats of their own. Who adds a field
// lets its zero value mean what was true before, and readers pass over fields
// that they do not know; any other change is a new version.
const (
	instancesFormat = "fairlead-instances"
	documentFormat  = "fairlead-document"
	clientsFormat   = "fairlead-clients"
	snapshotVersion = "1"
)

// savedSnapshot is the document.
type savedSnapshot struct {
	Service   string      `json:"service"`
	Revision  int64       `json:"revision"`
	AsOf      time.Time   `json:"asOf"`
	Instances []*Instance `json:"instances"`
}

func encodeSnapshot(s Snapshot, now time.Time) ([]byte, error) {
	if err := ValidateService(s.Service); err != nil {
		return nil, err
	}
	if s.State == Cold {
		return nil, &FieldError{Field: "Snapshot.State", Value: s.State, Allowed: "live or stale: a cold one says nothing"}
	}
	if s.AsOf.IsZero() {
		s.AsOf = now.UTC()
	}
	document, err := json.Marshal(savedSnapshot{s.Service, s.Revision, s.AsOf, s.Instances})
	if err != nil { // a time beyond the year 9999
		return nil, fmt.Errorf("%w: snapshot of %s: %w", ErrInvalid, s.Service, err)
	}
	return seal(instancesFormat, document)
}

// seal puts the header line before a document.
func seal(format string, document []byte) ([]byte, error) {
	document = append(document, '\n')
	data := append([]byte(format+"/"+snapshotVersion+" "+checksum(document)+"\n"), document...)
	if len(data) > maxSnapshotFile {
		return nil, tooLarge(int64(len(data)))
	}
	return data, nil
}

// unseal returns the document after the header line.
func unseal(format string, data []byte) ([]byte, error) {
	header, document, _ := bytes.Cut(data, []byte("\n"))
	is, sum, _ := strings.Cut(string(header), " ")
	version, ours := strings.CutPrefix(is, format+"/")
	switch {
	case !ours:
		return nil, fmt.Errorf("%w: not a file of format %s", ErrInvalid, format)
	case version != snapshotVersion:
		return nil, fmt.Errorf("%w: version %q of its format, this library reads version %s", ErrInvalid, clip(version), snapshotVersion)
	case sum != checksum(document):
		return nil, fmt.Errorf("%w: damaged, the checksum is that of something else", ErrInvalid)
	}
	return document, nil
}

func checksum(document []byte) string {
	sum := sha256.Sum256(document)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func decodeSnapshot(service string, data []byte) (Snapshot, error) {
	document, err := unseal(instancesFormat, data)
	if err != nil {
		return Snapshot{}, err
	}
	var d savedSnapshot
	if err := json.Unmarshal(document, &d); err != nil {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch {
	case d.Service != service:
		return Snapshot{}, fmt.Errorf("%w: of the service %q", ErrInvalid, clip(d.Service))
	case d.AsOf.IsZero():
		return Snapshot{}, fmt.Errorf("%w: of an unknown age", ErrInvalid)
	}
	l := admit(service, d.Instances)
	return Snapshot{
		Service: service, Revision: d.Revision, State: Stale, AsOf: d.AsOf,
		Instances: l.instances, Refused: l.refused, Refusals: l.refusals,
	}, nil
}

// admit sorts out what a registry would not have let in. Of several instances
// with one ID the first stays.
func admit(service string, instances []*Instance) listing {
	l := listing{instances: make([]*Instance, 0, len(instances))}
	ids := make(map[string]bool, len(instances))
	for _, i := range instances {
		if i == nil {
			l.refuse("", errors.New("no instance but null"))
		} else if err := admissible(i, service, ids); err != nil {
			l.refuse(clip(i.ID), err)
		} else {
			ids[i.ID] = true
			l.instances = append(l.instances, i)
		}
	}
	Sort(l.instances)
	return l
}

func admissible(i *Instance, service string, taken map[string]bool) error {
	switch {
	case i.Service != service:
		return fmt.Errorf("instance is of the service %q", clip(i.Service))
	case taken[i.ID]:
		return errors.New("another instance has the same ID")
	}
	return i.Validate()
}
