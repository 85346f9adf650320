package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
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
		text, err := json.Marshal(data)
		if err != nil {
			return err
		}
		if text, err = indented(text); err != nil {
			return err
		}
		_, err = s.stdout.Write(text)
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

// inYAML writes data as YAML with the names that it has in JSON. Where that
// would not read back as the same, as with some odd texts, it writes JSON, which
// is YAML, too.
func inYAML(data any) ([]byte, error) {
	canonical, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	if text, err := yaml.JSONToYAML(canonical); err == nil {
		again, err := yaml.YAMLToJSON(text)
		if err == nil && sameJSON(canonical, again) {
			return text, nil
		}
	}
	return indented(canonical)
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// indented writes JSON for people.
func indented(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
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

// cell is a text in a table or in a sentence.
func cell(text string) string { return cmp.Or(printable(text), "-") }

// printable keeps what others wrote from doing things to the terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(text)
		return quoted[1 : len(quoted)-1]
	}
	return text
}

// printableLines is printable for each line.
func printableLines(text string) string {
	all := strings.Split(text, "\n")
	for n := range all {
		all[n] = printable(all[n])
	}
	return strings.Join(all, "\n")
}

// outcome is what a command that writes has to say.
type outcome struct {
	Done   string `json:"done"`
	DryRun bool   `json:"dryRun,omitempty"`
	// Version and Revision are those of rules, or of settings, that were written.
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
		fmt.Fprint(w, printableLines(o.Diff))
		for _, line := range append([]string{o.Done}, o.Notes...) {
			fmt.Fprintln(w, printable(line))
		}
		if o.Undo != "" {
			fmt.Fprintln(w, "undo:", o.Undo)
		}
	})
}
