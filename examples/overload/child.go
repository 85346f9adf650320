package main

import (
	"bufio"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"
)

const childVariable = "FAIRLEAD_OVERLOAD_CHILD" // set in a child to its spec

// spec is what a child is told.
type spec struct {
	ID      string
	Client  bool // or it is a server
	Etcd    string
	Limits  bool
	Verbose bool
}

// word is what a child says of itself, ten times a second.
type word struct {
	From     string
	Ready    bool
	InHand   int      // calls that a server has, and has not answered
	Pressure float64  // as the application of a child reads it
	Calls    []called // of a client, that ended since its last word
}

// childMain turns the process into a server or a client if it is such a child; it
// then never returns.
func childMain() {
	raw := os.Getenv(childVariable)
	if raw == "" {
		return
	}
	var s spec
	err := json.Unmarshal([]byte(raw), &s)
	if err == nil {
		logs := io.Discard
		if s.Verbose {
			logs = os.Stderr
		}
		slog.SetDefault(slog.New(slog.NewTextHandler(logs, nil)).With("process", s.ID))
		t := &teller{from: s.ID, to: gob.NewEncoder(os.Stdout)}
		if s.Client {
			err = s.call(t)
		} else {
			err = s.serve(t)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.ID, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// teller writes the words of a child.
type teller struct {
	from string
	mu   sync.Mutex // guards to
	to   *gob.Encoder
}

// tell says something. A parent that is gone is no error: the child ends anyway.
func (t *teller) tell(w word) {
	w.From = t.from
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.to.Encode(w)
}

// begins waits for the parent's order to begin, and says when that is. It is in the
// future: all children begin together.
func begins() (time.Time, error) {
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	return at, at.UnmarshalText([]byte(line[:len(line)-1]))
}

// orphaned ends the process when its parent is gone, who holds the other end.
func orphaned() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// child is a process of the parent's.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	heard chan error // how its words ended
}

// start starts a child, whose words go to hear.
func (s spec) start(hear func(word)) (*child, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(program), heard: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	words, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		from := gob.NewDecoder(words)
		for {
			var w word
			if err := from.Decode(&w); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				c.heard <- err
				return
			}
			hear(w)
		}
	}()
	return c, nil
}

// kill ends the child without a word, and waits for its last one.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.heard
	c.cmd.Wait()
}
