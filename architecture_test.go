package fairlead_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fairlead-go/fairlead"

// mayImport is the table of arrows: which packages of this module, and which
// foreign modules, a package may import. internal/… may be imported by any.
var mayImport = map[string]struct{ own, foreign []string }{
	"":                        {},
	"discovery":               {},
	"discovery/discoverytest": {own: []string{"discovery"}},
	"discovery/etcd":          {own: []string{"discovery", "rule"}, foreign: []string{"go.etcd.io/etcd", "google.golang.org/grpc", "github.com/cenkalti/backoff", "go.uber.org/zap"}},
	"balancer":                {own: []string{"discovery"}, foreign: []string{"github.com/cespare/xxhash"}},
	"retry":                   {},
	"breaker":                 {foreign: []string{"github.com/sony/gobreaker"}},
	"ratelimit":               {foreign: []string{"golang.org/x/time"}},
	"rule/yaml":               {own: []string{"rule"}, foreign: []string{"github.com/goccy/go-yaml"}},
	"rule":                    {own: []string{"discovery", "breaker", "ratelimit", "retry"}, foreign: []string{"github.com/cespare/xxhash"}},
	"transport":               {own: []string{"discovery", "balancer", "breaker", "ratelimit", "retry", "rule"}, foreign: []string{"go.opentelemetry.io/otel"}},
	"transport/fairhttp":      {own: []string{"discovery", "balancer", "breaker", "ratelimit", "retry", "rule", "transport"}},
	"transport/fairgrpc":      {own: []string{"discovery", "balancer", "ratelimit", "retry", "rule", "transport"}, foreign: []string{"google.golang.org/grpc", "google.golang.org/protobuf"}},
	"transport/fairleadtest":  {own: []string{"discovery", "balancer", "rule", "transport"}},
}

// neverSee are the modules that the core packages must not reach, not even
// through others.
var neverSee = map[string][]string{
	"discovery":          {"google.golang.org/grpc", "go.etcd.io", "go.opentelemetry.io", "google.golang.org/protobuf"},
	"balancer":           {"google.golang.org/grpc", "go.etcd.io", "go.opentelemetry.io", "google.golang.org/protobuf"},
	"retry":              {"google.golang.org/grpc", "go.etcd.io", "go.opentelemetry.io", "google.golang.org/protobuf"},
	"ratelimit":          {"google.golang.org/grpc", "go.etcd.io", "go.opentelemetry.io", "google.golang.org/protobuf"},
	"breaker":            {"google.golang.org/grpc", "go.etcd.io", "go.opentelemetry.io", "google.golang.org/protobuf"},
	"transport":          {"google.golang.org/grpc", "go.etcd.io", "google.golang.org/protobuf"},
	"transport/fairhttp": {"google.golang.org/grpc", "go.etcd.io", "google.golang.org/protobuf"},
	"transport/fairgrpc": {"go.etcd.io"},
	"discovery/etcd":     {"go.opentelemetry.io"},
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	for _, line := range golist(t, "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		fields := strings.Fields(line)
		pkg := strings.Trim(strings.TrimPrefix(fields[0], module), "/")
		allowed, known := mayImport[pkg]
		if !known {
			if !strings.HasPrefix(pkg, "internal/") {
				t.Errorf("package %s is not in the table", pkg)
			}
			continue
		}
		for _, imported := range fields[1:] {
			if !mayUse(imported, allowed.own, allowed.foreign) {
				t.Errorf("%s imports %s, which the table does not allow", pkg, imported)
			}
		}
	}
}

func mayUse(imported string, own, foreign []string) bool {
	if inner, ok := strings.CutPrefix(imported, module+"/"); ok {
		return strings.HasPrefix(inner, "internal/") || slices.Contains(own, inner)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // standard library
	}
	return slices.ContainsFunc(foreign, func(f string) bool { return imported == f || strings.HasPrefix(imported, f+"/") })
}

func TestCorePackagesNeverReachHeavyModules(t *testing.T) {
	for pkg, banned := range neverSee {
		for _, dep := range golist(t, "-deps", "./"+pkg) {
			for _, b := range banned {
				if dep == b || strings.HasPrefix(dep, b+"/") {
					t.Errorf("%s reaches %s", pkg, dep)
				}
			}
		}
	}
}

func TestHTTPUserLinksFewModules(t *testing.T) {
	const most = 10
	var modules []string // beside this one
	for _, m := range golist(t, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./transport/fairhttp") {
		if m != module && !slices.Contains(modules, m) {
			modules = append(modules, m)
		}
	}
	if len(modules) > most {
		t.Errorf("a net/http user links %d modules through fairlead, allowed are %d: %v", len(modules), most, modules)
	}
}

// The one init of the library registers the gRPC balancer: grpc's registry is
// an unlocked map, to be written before main only.
func TestOnlyTheGRPCBalancerHasAnInit(t *testing.T) {
	out, err := exec.Command("git", "grep", "-lE", `^func init\(`, "--", "*.go").CombinedOutput()
	if err != nil && len(out) > 0 {
		t.Skipf("git grep: %v: %s", err, out)
	}
	for file := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(file, "examples/") || strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "internal/") {
			continue
		}
		if !strings.HasPrefix(file, "transport/fairgrpc/") {
			t.Errorf("%s has an init", file)
		}
	}
}

func golist(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
