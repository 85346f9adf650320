package report

import (
	"fmt"
	"html"
	"os"
	"strings"
)

// HTML writes a page with the table and the plots into a file. It needs nothing
// but itself.
func HTML(file string, rows []Row, all []Arm, trials []Trial) error {
	var b, table strings.Builder
	if err := Table(&table, rows); err != nil {
		return err
	}
	if err := ArmTable(&table, all); err != nil {
		return err
	}
	if err := TrialTable(&table, trials); err != nil {
		return err
	}
	b.WriteString("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>fairlead laboratory</title>\n" +
		"<style>body{font-family:sans-serif;margin:2em}svg{width:100%;max-width:1260px}pre{overflow-x:auto}</style>\n<h1>fairlead laboratory</h1>\n")
	for _, s := range settings(rows) {
		fmt.Fprintf(&b, "<h2>%s, clients %d, load %g</h2>\n%s", html.EscapeString(s.scenario), s.clients, s.load, s.svg())
	}
	for _, a := range armedOf(all) {
		fmt.Fprintf(&b, "<h2>%s, features, %s</h2>\n%s", html.EscapeString(a.scenario), a.policy, a.svg())
	}
	for _, s := range sheets(trials) {
		fmt.Fprintf(&b, "<h2>%s, limits</h2>\n%s", html.EscapeString(s.scenario), s.svg())
	}
	fmt.Fprintf(&b, "<h2>All figures</h2>\n<pre>%s</pre>\n</html>\n", html.EscapeString(table.String()))
	return os.WriteFile(file, []byte(b.String()), 0o666)
}
