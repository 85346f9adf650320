package etcd

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// KeptVersions is how many versions of the rules of a service, and of the
// settings, are kept.
const KeptVersions = 20

// RuleVersion is one version of the rules of a service, or of the settings.
type RuleVersion struct {
	// Number counts the versions of a service, from 1. 0: an [Operator] did not
	// write it.
	Number   int64
	Revision int64 // of the write
	// Text is the document; nil: there is none, or the version is a deletion.
	Text []byte
	At   time.Time // by the clock of who wrote
	Note Note
	// Malformed says why the version cannot be understood, so that there is
	// only its number; empty: it can.
	Malformed string
}

// Note is what people want to know of a change.
type Note struct{ By, Reason string }

// Validate reports a bad field as a [*discovery.FieldError].
func (n Note) Validate() error {
	for _, f := range [...]struct{ field, value string }{{"Note.By", n.By}, {"Note.Reason", n.Reason}} {
		if len(f.value) > discovery.MaxMetaBytes {
			return &discovery.FieldError{Field: f.field, Value: f.value, Allowed: fmt.Sprintf("at most %d bytes", discovery.MaxMetaBytes)}
		}
	}
	return nil
}

// versionRecord is the value of a version's key.
type versionRecord struct {
	Document json.RawMessage `json:"document,omitempty"`
	At       time.Time       `json:"at"`
	By       string          `json:"by,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Deleted  bool            `json:"deleted,omitempty"`
}

func (v RuleVersion) encode() (string, error) {
	b, err := json.Marshal(versionRecord{Document: v.Text, At: v.At, By: v.Note.By, Reason: v.Note.Reason, Deleted: v.Text == nil})
	return string(b), err
}

// mostVersion bounds what is read as a version: a document, and what is said
// of it.
const mostVersion = rule.MaxBytes + maxRecord

func decodeVersion(number int64, kv *mvccpb.KeyValue) RuleVersion {
	v := RuleVersion{Number: number, Revision: kv.ModRevision}
	var r versionRecord
	switch err := json.Unmarshal(kv.Value, &r); {
	case len(kv.Value) > mostVersion:
		v.Malformed = fmt.Sprintf("value has %d bytes, at most %d are allowed", len(kv.Value), mostVersion)
	case err != nil:
		v.Malformed = err.Error()
	case r.Deleted == (r.Document != nil):
		v.Malformed = "it is neither a document nor a deletion"
	default:
		v.Text, v.At, v.Note = r.Document, r.At, Note{By: r.By, Reason: r.Reason}
	}
	return v
}

// versionNumber is the number that a key of a version stands for.
func (k keys) versionNumber(service string, key []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(string(key), k.versions(service)), 10, 64)
	return n, err == nil && n > 0 && k.version(service, n) == string(key)
}
