package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/goccy/go-yaml"
)

// show writes what a command found: as data, or as people read it.
func (s *session) show(data any, people func(io.Writer)) error {
	switch s.output {
	case asJSON:
		text, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.stdout, "%s\n", text)
		return err
	case asYAML:
		text, err := inYAML(data)
		if err != nil {
			return err
		}
		_, err = s.stdout.Write(text)
		return err
	}
	people(s.stdout)
	return nil
}

// inYAML writes data as YAML with the names that it has in JSON.
func inYAML(data any) ([]byte, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(text)
}

// table writes rows below a head, in columns.
func table(w io.Writer, head string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(strings.Fields(head), "\t"))
	for _, row := range rows {
		for n := range row {
			row[n] = cell(row[n])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
}

// cell keeps what others wrote into etcd from doing things to the terminal.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// outcome is what a command that writes has to say.
type outcome struct {
	Done   string `json:"done"`
	DryRun bool   `json:"dryRun,omitempty"`
	// Version and Revision are those of rules that were written.
	Version  int64 `json:"version,omitempty"`
	Revision int64 `json:"revision,omitempty"`
	// Clients is how many call the service whose rules these are.
	Clients *int     `json:"clients,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Diff    string   `json:"diff,omitempty"`
	Undo    string   `json:"undo,omitempty"` // a command
}

func (s *session) tell(o outcome) error {
	return s.show(o, func(w io.Writer) {
		fmt.Fprint(w, o.Diff)
		fmt.Fprintln(w, o.Done)
		for _, note := range o.Notes {
			fmt.Fprintln(w, note)
		}
		if o.Undo != "" {
			fmt.Fprintln(w, "undo:", o.Undo)
		}
	})
}
