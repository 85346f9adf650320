package main

import (
	"fmt"
	"strings"
	"unicode"
)

// undo is a command to copy that takes the same way to the same etcd. It says
// no password.
func (s *session) undo(args ...string) string {
	words := append([]string{"fairlead"}, args...)
	for _, name := range []string{"endpoints", "prefix", "cacert", "cert", "key"} {
		if s.flags.Changed(name) {
			value := s.flags.Lookup(name).Value.String()
			if name == "endpoints" {
				value = strings.Join(s.endpoints, ",")
			}
			words = append(words, "--"+name, value)
		}
	}
	if s.flags.Changed("user") {
		words = append(words, "--user", s.user)
	}
	if s.flags.Changed("insecure-skip-tls-verify") {
		words = append(words, "--insecure-skip-tls-verify")
	}
	for n, word := range words {
		words[n] = quoted(word)
	}
	return strings.Join(words, " ")
}

// quoted writes a word so that a shell reads it as one, and a terminal shows all
// of it.
func quoted(word string) string {
	if printable(word) != word {
		var b strings.Builder
		for _, r := range word {
			if c := string(r); unicode.IsPrint(r) && r != '\'' && r != '\\' {
				b.WriteString(c)
			} else {
				for n := range len(c) {
					fmt.Fprintf(&b, `\x%02x`, c[n])
				}
			}
		}
		return "$'" + b.String() + "'"
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
