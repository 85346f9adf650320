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

func TestSavedClients(t *testing.T) {
	dir := discovery.SnapshotDir(t.TempDir())
	at := time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC)
	for _, c := range []discovery.SavedClients{
		{Service: "orders", Number: 10, AsOf: at},
		{Service: "users", AsOf: at},
		{Service: strings.Repeat("a.", 120) + "b", Number: 1, AsOf: at},
	} {
		if _, err := dir.LoadClients(c.Service); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: before: %v", c.Service, err)
		}
		if err := dir.SaveClients(c); err != nil {
			t.Fatal(err)
		}
		if got, err := dir.LoadClients(c.Service); err != nil || got != c {
			t.Errorf("%+v comes back as %+v, %v", c, got, err)
		}
	}
	if err := dir.SaveClients(discovery.SavedClients{Service: "orders", Number: 3}); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.LoadClients("orders"); err != nil || got.Number != 3 || time.Since(got.AsOf) > time.Hour {
		t.Errorf("saved as of now: %+v, %v", got, err)
	}
	for name, c := range map[string]discovery.SavedClients{
		"a bad name":        {Service: "Orders"},
		"less than nobody":  {Service: "orders", Number: -1},
		"more than can be":  {Service: "orders", Number: 1 << 40},
		"nobody's, as none": {},
	} {
		if err := dir.SaveClients(c); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSavedClientsThatCannotBeTrusted(t *testing.T) {
	dir := discovery.SnapshotDir(t.TempDir())
	if err := dir.SaveClients(discovery.SavedClients{Service: "orders", Number: 10}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(string(dir), "orders.clients"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, data string }{
		{"Damaged", "orders", strings.Replace(string(good), `"number":10`, `"number":1`, 1)},
		{"CutOff", "orders", string(good[:len(good)-5])},
		{"OfAnother", "users", string(good)},
		{"Document", "orders", strings.Replace(string(good), "clients/1", "document/1", 1)},
		{"Later", "orders", strings.Replace(string(good), "clients/1", "clients/2", 1)},
		{"Empty", "orders", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(string(dir), c.file+".clients"), []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := dir.LoadClients(c.file); !errors.Is(err, discovery.ErrInvalid) || got.Number != 0 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
