package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	goyaml "github.com/goccy/go-yaml"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// form is how documents of a kind are read.
type form[T any] struct {
	what       string // "rules"
	json, yaml func([]byte) (T, error)
}

func policies() form[rule.Policy] {
	return form[rule.Policy]{"rules", rule.Decode, yaml.Decode}
}

func switchboards() form[rule.Settings] {
	return form[rule.Settings]{"settings", rule.DecodeSettings, yaml.DecodeSettings}
}

// load reads a document from a file, or from the input where the name is "-".
// An error is [rule.Problems] where the text is at fault.
func (f form[T]) load(s *session, file string) (v T, err error) {
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(s.stdin, rule.MaxBytes+1))
	} else {
		text, err = readFile(file)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return v, e.Err // the caller knows the name
	}
	if err != nil {
		return v, err
	}
	if isJSON(file, text) {
		return f.json(text)
	}
	return f.yaml(text)
}

// good is load for commands that need one good document: what is wrong with it
// becomes the error.
func (f form[T]) good(s *session, file string) (T, error) {
	v, err := f.load(s, file)
	if problems, ok := errors.AsType[rule.Problems](err); ok {
		lines := make([]string, len(problems))
		for n := range problems {
			lines[n] = located(file, problems[n])
		}
		return v, fmt.Errorf("the document is refused\n%s", strings.Join(lines, "\n"))
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

// written is a document for people: in YAML or, should that not read back as the
// same, in JSON, which is YAML, too.
func (f form[T]) written(v T) ([]byte, error) {
	canonical, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if text, err := goyaml.JSONToYAML(canonical); err == nil {
		if again, err := f.yaml(text); err == nil {
			if twice, err := json.Marshal(again); err == nil && bytes.Equal(canonical, twice) {
				return text, nil
			}
		}
	}
	return indented(canonical)
}
