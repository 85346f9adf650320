package discovery_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestSavedDocuments(t *testing.T) {
	dir := discovery.SnapshotDir(t.TempDir())
	at := time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC)
	for _, d := range []discovery.SavedDocument{
		{Service: "orders", Text: []byte(`{"kind":"ServicePolicy"}`), Revision: 7, Origin: "etcd", AsOf: at},
		{Service: "users", Revision: 8, Origin: "etcd", AsOf: at},
		{Text: []byte("\x00 anything \xff"), Revision: 9, AsOf: at},
		{Service: strings.Repeat("a.", 120) + "b", Text: []byte{}, AsOf: at},
	} {
		if _, err := dir.LoadDocument(d.Service); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: before: %v", d.Service, err)
		}
		if err := dir.SaveDocument(d); err != nil {
			t.Fatal(err)
		}
		got, err := dir.LoadDocument(d.Service)
		if err != nil || string(got.Text) != string(d.Text) || (got.Text == nil) != (d.Text == nil) || got.Revision != d.Revision || got.Origin != d.Origin || !got.AsOf.Equal(at) {
			t.Errorf("%q: %+v comes back as %+v, %v", d.Service, d, got, err)
		}
	}
	if err := dir.SaveDocument(discovery.SavedDocument{Service: "Orders"}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := dir.Load("orders"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a document is taken for a list: %v", err)
	}
}

func TestDocumentsThatCannotBeTrusted(t *testing.T) {
	dir := discovery.SnapshotDir(t.TempDir())
	if err := dir.SaveDocument(discovery.SavedDocument{Service: "orders", Text: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(string(dir), "orders.rules")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, data string }{
		{"Damaged", "orders", strings.Replace(string(good), `"revision":0`, `"revision":1`, 1)},
		{"CutOff", "orders", string(good[:len(good)-5])},
		{"OfAnother", "users", string(good)},
		{"Instances", "orders", strings.Replace(string(good), "document/1", "instances/1", 1)},
		{"Later", "orders", strings.Replace(string(good), "document/1", "document/2", 1)},
		{"Empty", "orders", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(string(dir), c.file+".rules"), []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			if d, err := dir.LoadDocument(c.file); !errors.Is(err, discovery.ErrInvalid) || d.Text != nil {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}
