package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/rule"
)

// finding is one thing that is wrong with a file.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"`
	Value   string `json:"value,omitempty"`
	Allowed string `json:"allowed"`
}

func (s *session) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Say all that is wrong with rule documents, without asking etcd",
		Long: `Reads documents in YAML or JSON, "-" being the input, and says all that is
wrong with each, as FILE:LINE:COLUMN: what. Exits 1 if anything is.`,
		Example: "  fairlead rules check orders.yaml\n  cat orders.json | fairlead rules check -",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			return policies().check(s, files, func(p rule.Policy) string { return "rules of " + p.Spec.Service })
		},
	}
}

// check says all that is wrong with files, and what they are that are good.
func (f form[T]) check(s *session, files []string, describe func(T) string) error {
	findings, lines := []finding{}, []string{}
	for _, file := range files {
		v, err := f.load(s, file)
		problems, ok := errors.AsType[rule.Problems](err)
		switch {
		case err == nil:
			lines = append(lines, fmt.Sprintf("%s: valid, %s", file, describe(v)))
		case !ok:
			findings = append(findings, finding{File: file, Allowed: err.Error()})
			lines = append(lines, fmt.Sprintf("%s: %v", file, err))
		}
		for _, p := range problems {
			findings = append(findings, finding{file, p.Line, p.Column, p.Field, p.Value, p.Allowed})
			lines = append(lines, located(file, p))
		}
	}
	err := s.show(findings, func(w io.Writer) {
		for _, line := range lines {
			fmt.Fprintln(w, printable(line))
		}
	})
	if err == nil && len(findings) > 0 {
		return errSaid
	}
	return err
}
