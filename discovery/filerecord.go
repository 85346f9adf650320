package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// maxFile bounds a file, on read.
	maxFile = 16 << 20
	// maxFileRecord bounds the record of a registration, on write.
	maxFileRecord = 8 << 10
	fileSuffix    = ".json"
)

// fileRecord is what a file says of one instance. Readers pass over fields that
// they do not know.
type fileRecord struct {
	Instance
	// TTL is how old the file may be for the record to count, as in "15s".
	// Empty: it does not age.
	TTL string `json:"ttl,omitempty"`
	// Incarnation tells the registration that wrote the file from all others.
	Incarnation string `json:"incarnation,omitempty"`
}

// encodeFile returns the record of a registration. The error is a
// [*FieldError].
func encodeFile(i Instance, ttl time.Duration, incarnation string) ([]byte, error) {
	b, err := json.Marshal(fileRecord{Instance: i, TTL: ttl.String(), Incarnation: incarnation})
	if err != nil {
		return nil, &FieldError{Field: "Instance", Value: err.Error(), Allowed: "what can be written as JSON"}
	}
	if len(b) > maxFileRecord {
		return nil, &FieldError{Field: "Instance", Value: fmt.Sprintf("of %d bytes", len(b)), Allowed: fmt.Sprintf("a record of at most %d bytes", maxFileRecord)}
	}
	return append(b, '\n'), nil
}

// decodeFile reads a file of service: one instance, with the TTL of its record,
// or an array of them, of which a bad one is refused alone. The error says why
// the file is malformed as a whole. Key is the file's name, for refusals.
func decodeFile(service, key string, b []byte) (content listing, ttl time.Duration, err error) {
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("[")) {
		i, ttl, err := decodeFileRecord(service, b)
		if err != nil {
			return listing{}, 0, err
		}
		return listing{instances: []*Instance{i}}, ttl, nil
	}
	var records []json.RawMessage
	if err := json.Unmarshal(b, &records); err != nil {
		return listing{}, 0, err
	}
	for n, record := range records {
		i, ttl, err := decodeFileRecord(service, record)
		if err == nil && ttl != 0 {
			err = errors.New("a record with a ttl needs a file of its own")
		}
		if err != nil {
			content.refuse(fmt.Sprintf("%s[%d]", key, n), err)
			continue
		}
		content.instances = append(content.instances, i)
	}
	return content, 0, nil
}

func decodeFileRecord(service string, b []byte) (*Instance, time.Duration, error) {
	var r fileRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, 0, err
	}
	ttl := time.Duration(0)
	if r.TTL != "" {
		var err error
		if ttl, err = time.ParseDuration(r.TTL); err != nil || ttl <= 0 {
			return nil, 0, fmt.Errorf("ttl %.64q is not a positive duration such as 15s", r.TTL)
		}
	}
	if r.Service != "" && r.Service != service {
		return nil, 0, fmt.Errorf("record is of the service %.253q", r.Service)
	}
	r.Service = service
	i := r.Normalize(r.StartedAt) // an unknown start stays unknown, as in NewStatic
	if r.ID == "" {
		if i.Addr == "" { // say so, and not that the ID made of it is bad
			return nil, 0, validateAddr("Instance.Addr", "")
		}
		i.ID = addrID(i.Addr)
	}
	return &i, ttl, i.Validate()
}

// incarnationOf returns whose record b is; "" where that cannot be told.
func incarnationOf(b []byte) string {
	var r struct {
		Incarnation string `json:"incarnation"`
	}
	if json.Unmarshal(b, &r) != nil {
		return ""
	}
	return r.Incarnation
}

// fileName is the name of the file of a registered instance. Colons, which
// Windows does not allow, and a dot at the beginning, which readers pass over,
// become what no ID has.
func fileName(id string) string {
	if rest, ok := strings.CutPrefix(id, "."); ok {
		id = "," + rest
	}
	return strings.ReplaceAll(id, ":", "=") + fileSuffix
}
