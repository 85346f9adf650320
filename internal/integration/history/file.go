package history

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// entry is one record of a file; one of its fields is set.
type entry struct {
	Settings    *Settings
	Publication *Publication
	List        *List
	Call        *Call
	End         *End
}

// Writer writes a history as it happens. It is safe for concurrent use.
type Writer struct {
	mu      sync.Mutex // guards all below
	file    *os.File
	buffer  *bufio.Writer
	encoder *gob.Encoder
	err     error // the first
}

// Create begins a history in a new file.
func Create(path string, s Settings) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	b := bufio.NewWriterSize(f, 64<<10)
	w := &Writer{file: f, buffer: b, encoder: gob.NewEncoder(b)}
	w.write(entry{Settings: &s})
	return w, nil
}

// Publication writes down what the registry said.
func (w *Writer) Publication(p Publication) { w.write(entry{Publication: &p}) }

// List writes down what calls are served from.
func (w *Writer) List(l List) { w.write(entry{List: &l}) }

// Call writes down a call.
func (w *Writer) Call(c Call) { w.write(entry{Call: &c}) }

func (w *Writer) write(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, w.encoder.Encode(e))
}

// Close ends the history. The error is the first of all that were written.
func (w *Writer) Close(e End) error {
	w.write(entry{End: &e})
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, w.buffer.Flush(), w.file.Close())
}

// Read reads a history that was closed.
func Read(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &History{Executions: map[int64]int{}}
	ended := false
	for d := gob.NewDecoder(bufio.NewReaderSize(f, 64<<10)); ; {
		var e entry
		switch err := d.Decode(&e); {
		case err == io.EOF && ended:
			return h, nil
		case err == io.EOF:
			return nil, fmt.Errorf("%s has no end", path)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		switch {
		case e.Settings != nil:
			h.Settings = *e.Settings
		case e.Publication != nil:
			h.Publications = append(h.Publications, *e.Publication)
		case e.List != nil:
			h.Lists = append(h.Lists, *e.List)
		case e.Call != nil:
			h.Calls = append(h.Calls, *e.Call)
		case e.End != nil:
			h.End, ended = *e.End, true
		}
	}
}

// Key names a call among those of all callers.
func Key(caller string, id int64) string { return caller + "/" + strconv.FormatInt(id, 10) }

// ReadExecutions adds what instances wrote to their files: a line with the key
// of each call when they began to execute it.
func (h *History) ReadExecutions(paths ...string) error {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			number, ours := strings.CutPrefix(strings.TrimSuffix(line, "\n"), h.Settings.Caller+"/")
			if !ours {
				continue
			}
			id, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			h.Executions[id]++
		}
	}
	return nil
}
