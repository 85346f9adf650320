package child_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/child"
)

const patience = 60 * time.Second

// sitter says its name and PID and waits for SIGTERM.
var sitter = child.Role{Name: "sitter", Run: func(settings []byte, ready func(any)) error {
	var name string
	if err := json.Unmarshal(settings, &name); err != nil {
		return err
	}
	if name == "" {
		return errors.New("no name")
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	ready(about{name, os.Getpid()})
	<-terminated
	return nil
}}

type about struct {
	Name string
	PID  int
}

func TestMain(m *testing.M) {
	child.Main(sitter)
	os.Exit(m.Run())
}

func TestChildGetsItsSettingsAndEndsInOrder(t *testing.T) {
	var got about
	p := child.Start(t, "sitter", "maria", &got)
	if want := (about{"maria", p.PID()}); got != want || got.PID == os.Getpid() {
		t.Errorf("the child says %+v, want %+v and not the PID of the test", got, want)
	}
	if !p.Running() {
		t.Error("the child has ended already")
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err, ended := p.Wait(patience); err != nil || !ended {
		t.Errorf("after SIGTERM: %v, ended %t", err, ended)
	}
}

func TestKilledChildIsGone(t *testing.T) {
	p := child.Start(t, "sitter", "maria", new(about))
	p.Kill()
	if err, ended := p.Wait(0); err == nil || !ended {
		t.Errorf("after Kill: %v, ended %t, want how it ended", err, ended)
	}
	p.Kill() // does nothing
}

func TestChildThatFailsIsReported(t *testing.T) {
	if _, err := child.Run("sitter", "", new(about)); err == nil {
		t.Error("a child that fails before it is ready is no error")
	}
	if _, err := child.Run("nobody", "", new(about)); err == nil {
		t.Error("a role that nobody has is no error")
	}
}
