package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-go/fairlead/rule"
)

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

// located writes a problem as compilers do, for editors to jump to.
func located(file string, p rule.Problem) string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", file, p)
	}
	line, column := p.Line, p.Column
	p.Line, p.Column = 0, 0
	return fmt.Sprintf("%s:%d:%d: %s", file, line, column, p)
}
