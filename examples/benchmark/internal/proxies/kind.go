// Package proxies runs the proxies that a call can go through on its way: those
// that people run in earnest, where this machine has them, and one on fairlead
// itself, which is there always.
//
// They are configured by the templates in this folder. What these have in common is
// what their makers advise for many short calls, and what makes them comparable:
// connections to the upstreams that are kept, as many threads as there are cores, no
// access log, no TLS, no limit that a benchmark would run into.
package proxies

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// Kind is a proxy that this machine has.
type Kind struct {
	Name, Version, Path string
	recipe              recipe
}

// Names are those of all proxies that [Find] looks for, those first whose hop costs
// least.
func Names() []string {
	var names []string
	for _, r := range recipes() {
		names = append(names, r.name)
	}
	return names
}

// Find returns the proxies that are on the path or in /usr/sbin, where packages put
// them, and fairlead's, which is this program.
func Find(ctx context.Context) []Kind {
	var found []Kind
	for _, r := range recipes() {
		k := Kind{Name: r.name, recipe: r}
		if r.name == fairlead {
			k.Path, _ = os.Executable()
			k.Version = "examples/proxy"
		} else {
			k.Path = locate(r.name)
			k.Version = k.version(ctx)
		}
		if k.Path != "" {
			found = append(found, k)
		}
	}
	return found
}

// Note says in what the proxy does not do with a protocol what others do, and is
// empty where it does.
func (k Kind) Note(protocol string) string { return k.recipe.notes[protocol] }

// Onward is the protocol that the proxy speaks with its upstreams where its clients speak
// another: that of a second proxy behind it, and of the instances.
func (k Kind) Onward(protocol string) string { return cmp.Or(k.recipe.onward[protocol], protocol) }

func locate(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		path, _ = exec.LookPath("/usr/sbin/" + name)
	}
	return path
}

var number = regexp.MustCompile(`\d+\.\d+\.\d+[-+.~\w]*`)

// version asks the proxy.
func (k Kind) version(ctx context.Context) string {
	if k.Path == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	said, _ := exec.CommandContext(ctx, k.Path, k.recipe.version).CombinedOutput()
	return cmp.Or(number.FindString(string(said)), "unknown")
}
