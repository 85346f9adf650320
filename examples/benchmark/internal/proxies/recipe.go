package proxies

import (
	"bytes"
	"embed"
	"encoding/json"
	"path/filepath"
	"strconv"
	"text/template"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

const fairlead = "fairlead"

// recipe is how a proxy is run: in the foreground, in one process or one process and its
// workers.
type recipe struct {
	name    string
	version string // the argument that has it say its version
	file    string // its configuration, from the template of the same name; JSON has none
	args    func(file string, s settings) []string
	workers bool              // it has a process for each core, and one above them
	onward  map[string]string // the protocol of its upstreams, where it is another
	notes   map[string]string // by protocol
}

// recipes is the table of all.
func recipes() []recipe {
	return []recipe{
		{
			name: "haproxy", version: "-v", file: "haproxy.cfg",
			args: func(file string, _ settings) []string { return []string{"-db", "-f", file} },
		},
		{
			name: "nginx", version: "-v", file: "nginx.conf", workers: true,
			args:   func(file string, _ settings) []string { return []string{"-e", "stderr", "-p", ".", "-c", file} },
			onward: map[string]string{scenario.HTTP2: scenario.HTTP1},
			notes: map[string]string{
				scenario.HTTP2:      "nginx speaks HTTP/1.1 with the upstreams, as it has to before 1.29.4",
				scenario.GRPC:       "nginx has one call at a time on each connection to an upstream",
				scenario.GRPCStream: "nginx has one call at a time on each connection to an upstream",
			},
		},
		{
			name: "envoy", version: "--version", file: "envoy.yaml",
			args: func(file string, s settings) []string {
				return []string{"-c", file, "--concurrency", strconv.Itoa(s.Cores), "--disable-hot-restart", "--log-level", "warning"}
			},
		},
		{
			name: "caddy", version: "version", file: "Caddyfile",
			args: func(file string, _ settings) []string {
				return []string{"run", "--adapter", "caddyfile", "--config", file}
			},
			notes: map[string]string{scenario.HTTP1: "Caddy has read all of a request before it calls an upstream, since answers would be cut short otherwise"},
		},
		{
			name: fairlead, file: "fairlead.json",
			args: func(string, settings) []string { return nil }, // it reads its settings
		},
	}
}

//go:embed *.tmpl
var templates embed.FS

// configure makes the configuration of a proxy.
func (r recipe) configure(s settings) ([]byte, error) {
	if filepath.Ext(r.file) == ".json" {
		return json.Marshal(s)
	}
	t, err := template.ParseFS(templates, r.file+".tmpl")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, s)
	return out.Bytes(), err
}
