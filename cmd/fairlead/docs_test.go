package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/cli.md do what they say there, one after the other.
func TestCommandsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte(block(string(text), "yaml")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, server, "instances/orders/a", `{"Op":0,"Addr":"10.0.0.7:80","Metadata":{"id":"a","service":"orders"}}`, lease(t, server))
	commands := 0
	for _, shell := range block(string(text), "sh") {
		for line := range strings.Lines(shell) {
			command, comment, _ := strings.Cut(line, "#")
			words := split(strings.ReplaceAll(strings.TrimSpace(command), "orders.yaml", file))
			if words[0] != "fairlead" {
				continue
			}
			commands++
			a := x.says(exitOK, nil, words[1:]...)
			if strings.Contains(comment, "prints the command that undoes it") && !strings.Contains(a.out, "undo: fairlead") || strings.Contains(comment, "unchanged") && !strings.Contains(a.out, "unchanged") {
				t.Errorf("%s says\n%s", line, a.out)
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands were found", commands)
	}
	x.says(exitInvalid, []string{"there are no settings"}, "settings", "get")
	if a := x.run("rules", "get", "orders"); !strings.Contains(a.out, "canary") {
		t.Errorf("in the end there is\n%s%s", a.out, a.err)
	}
}

// block returns the fenced blocks of a language.
func block(text, language string) (all []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
