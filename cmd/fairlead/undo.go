package main

import "strings"

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

// quoted writes a word so that a shell reads it as one.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
