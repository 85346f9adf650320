package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	goyaml "github.com/goccy/go-yaml"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// load reads a document from a file, or from the input where the name is "-".
// An error is [rule.Problems] where the text is at fault.
func (s *session) load(file string) (rule.Policy, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(s.stdin, rule.MaxBytes+1))
	} else {
		text, err = readFile(file)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return rule.Policy{}, e.Err // the caller knows the name
	}
	if err != nil {
		return rule.Policy{}, err
	}
	if isJSON(file, text) {
		return rule.Decode(text)
	}
	return yaml.Decode(text)
}

// readFile reads no more than one byte above what a document may have.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, rule.MaxBytes+1))
}

// isJSON goes by the name and, where that says nothing, by the first letter.
func isJSON(file string, text []byte) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".json":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
}

// written is a policy as a document for people: in YAML or, should that not
// read back as the same, in JSON, which is YAML, too.
func written(p rule.Policy) ([]byte, error) {
	canonical, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if text, err := goyaml.JSONToYAML(canonical); err == nil {
		if again, err := yaml.Decode(text); err == nil {
			if twice, err := json.Marshal(again); err == nil && bytes.Equal(canonical, twice) {
				return text, nil
			}
		}
	}
	return indented(canonical)
}

// located writes a problem as compilers do, for editors to jump to.
func located(file string, p rule.Problem) string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", file, p)
	}
	line, column := p.Line, p.Column
	p.Line, p.Column = 0, 0
	return fmt.Sprintf("%s:%d:%d: %s", file, line, column, p)
}

// policy is load for commands that need one good document: what is wrong with
// it becomes the error.
func (s *session) policy(file string) (rule.Policy, error) {
	p, err := s.load(file)
	if problems, ok := errors.AsType[rule.Problems](err); ok {
		lines := make([]string, len(problems))
		for n := range problems {
			lines[n] = located(file, problems[n])
		}
		return p, fmt.Errorf("the document is refused\n%s", strings.Join(lines, "\n"))
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
