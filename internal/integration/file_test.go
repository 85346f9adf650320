package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// fileDir is the environment variable that makes TestKilledProcessExpires
// a process that registers in that directory and waits to be killed.
const fileDir = "FAIRLEAD_FILE_DIR"

func TestKilledProcessExpires(t *testing.T) {
	config := discovery.FileConfig{TTL: 5 * time.Second, Interval: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if config.Dir = os.Getenv(fileDir); config.Dir != "" {
		registerForEver(t, config)
		return
	}
	t.Parallel()
	config.Dir = t.TempDir()
	ours, err := discovery.NewFile(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(context.Background()) })
	r, err := ours.Register(t.Context(), discovery.Instance{Service: "orders", ID: "ours", Addr: "192.0.2.1:8080"})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, r)
	w := watch(t, ours, "orders")
	w.until("list of our instance", live("ours"))

	kill := startRegistering(t, config.Dir)
	w.until("list of both instances", live("ours", "theirs"))
	during(t, config.TTL+2*time.Second) // longer than a record counts that nobody renews
	if reports := w.rest(); len(reports) > 0 {
		t.Fatalf("while both processes lived: %v", reports)
	}
	kill()
	w.until("list without the killed process", live("ours"))
	if _, err := os.Stat(filepath.Join(config.Dir, "orders", "theirs.json")); err != nil {
		t.Errorf("the file of the killed process: %v; want it there, so that its age alone took it off the list", err)
	}
	if s := r.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("state of our registration: %+v; want it undisturbed", s)
	}

	startRegistering(t, config.Dir)
	w.until("list of both instances, after a restart", live("ours", "theirs"))
}

// A program on one host needs no server at all: files are its registry.
func TestMeshOverFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mesh, err := transport.Open(discovery.FileConfig{Dir: dir, Interval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") }))
	t.Cleanup(backend.Close)
	r, err := mesh.Register(t.Context(), discovery.Instance{Service: "orders", ID: "a", Addr: backend.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, r)
	client := &http.Client{Transport: fairhttp.New(mesh, nil)}
	answer, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	dump, err := json.Marshal(mesh.Dump().Registry)
	if err != nil || !strings.Contains(string(dump), dir) || !strings.Contains(string(dump), `"registered":true`) {
		t.Errorf("the dump has %s of the registry, error %v; want its directory and the registration", dump, err)
	}
	if err := mesh.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "orders")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, error %v; want nothing", left, err)
	}
}

// startRegistering runs this test once more in a process of its own, until
// kill is called or the test ends.
func startRegistering(t *testing.T, dir string) (kill func()) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledProcessExpires$", "-test.v")
	child.Env = append(os.Environ(), fileDir+"="+dir)
	child.Stderr = t.Output()
	in, err := child.StdinPipe() // ends with us, and so does the child
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		child.Process.Kill()
		child.Wait()
		in.Close()
	}
	t.Cleanup(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "registered" {
			return kill
		}
	}
	t.Fatal("the child ended before it had registered")
	return nil
}

// registerForEver is the child.
func registerForEver(t *testing.T, config discovery.FileConfig) {
	f, err := discovery.NewFile(config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Register(t.Context(), discovery.Instance{Service: "orders", ID: "theirs", Addr: "192.0.2.2:8080"})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, r)
	fmt.Println("registered")
	io.Copy(io.Discard, os.Stdin)
}
