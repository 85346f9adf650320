package main

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Data written as YAML reads back as the same, whatever texts there are.
func TestDataAsYAML(t *testing.T) {
	for _, text := range []string{"plain", "", "1.10", "yes", "null", "tab\tx", "a\rb", "\n", "a\n\nb\n", ".inf", "<<", "\x01", "a: b", "é"} {
		data := map[string]string{"value": text, "k" + text: "v"}
		out, err := inYAML(data)
		if err != nil {
			t.Fatal(err)
		}
		var again map[string]string
		if err := yaml.Unmarshal(out, &again); err != nil || again["value"] != text || again["k"+text] != "v" || len(again) != 2 {
			t.Errorf("%q is written as\n%sand read as %q, %v", text, out, again, err)
		}
	}
}

// What stands in etcd does nothing to the terminal.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	server := shared(t)
	x := terminalAt(t, server.Endpoint())
	alive := lease(t, server)
	put(t, server, "instances/orders/a", `{"Op":0,"Addr":"10.0.0.7:80","Metadata":{"id":"a","service":"orders","zone":"\u001b[2J"}}`, alive)
	put(t, server, "overrides/orders/a", `{"state":"drain","by":"\u001b[2J","reason":"\u001b[2J"}`)
	put(t, server, "rules/orders", "\x1b[2J")
	put(t, server, "rules/\x1b[2J", "")
	put(t, server, "history/orders/000000000001", `{"document":{},"at":"2026-01-01T00:00:00Z","by":"\u001b[2J","reason":"\u001b[2J"}`)
	put(t, server, "clients/orders/\x1b[2J", `{"service":"cart","library":"\u001b[2J","edition":0}`, alive)
	put(t, server, "settings", "\x1b[2J")
	put(t, server, "history/*/000000000001", `{"document":{},"at":"2026-01-01T00:00:00Z","by":"\u001b[2J","reason":"\u001b[2J"}`)
	file, board := policyFile(t, "1s"), settingsFile(t, "{off: [mirror]}")
	for _, args := range []string{
		"services", "instances orders", "rules get orders", "rules history orders", "rules diff " + file, "rules apply " + file,
		"rules apply --dry-run --force " + file, "drain orders a --by x", "weight orders a 0 --dry-run", "rules rollback orders 1",
		"settings get", "settings history", "settings rollback", "settings off mirror", "settings apply " + board + " --dry-run", "settings delete",
	} {
		if a := x.run(strings.Fields(args)...); strings.Contains(a.out+a.err, "\x1b") {
			t.Errorf("%s says %q", args, a.out+a.err)
		}
	}
}
