package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What is committed is what the structs say now.
func TestSchemasAreCurrent(t *testing.T) {
	files, err := generate("../../rule")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Fatalf("%d schemas are made", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../rule/schema", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("rule/schema/%s is not what go generate ./rule makes", name)
		}
	}
}

// Every field is described.
func TestDescriptions(t *testing.T) {
	comments, err := commentsOf("../../rule")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"Route", "Route.HashOn", "Destination", "Lane.Label", "Delay.Percent"} {
		if comments[of] == "" {
			t.Errorf("nothing is said of %s", of)
		}
	}
}
