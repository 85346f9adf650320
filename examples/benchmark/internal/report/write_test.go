package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// files writes a report and reads its files.
func files(t *testing.T, r *Report) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new")
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

func TestJSONFileIsTheLastLine(t *testing.T) {
	r := sample()
	var out bytes.Buffer
	if err := r.Print(&out, true); err != nil {
		t.Fatal(err)
	}
	if text := files(t, r)["report.json"]; !strings.HasSuffix(out.String(), "\n"+text) {
		t.Error("the file is another")
	}
}

// Whoever reads the CSV files has what JSON says, under the same names.
func TestCSVFilesSayWhatJSONSays(t *testing.T) {
	all := files(t, sample())
	var document map[string]any
	if err := json.Unmarshal([]byte(all["report.json"]), &document); err != nil {
		t.Fatal(err)
	}
	for file, field := range map[string]string{"rows.csv": "rows", "ratios.csv": "ratios", "added.csv": "added", "pairwise.csv": "pairwise"} {
		records, err := csv.NewReader(strings.NewReader(all[file])).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var got []any
		for _, record := range records[1:] {
			row := map[string]any{}
			for i, name := range records[0] {
				if v, err := strconv.ParseFloat(record[i], 64); err == nil {
					row[name] = v
				} else if record[i] != "" {
					row[name] = record[i]
				}
			}
			got = append(got, row)
		}
		if !reflect.DeepEqual(got, document[field]) {
			t.Errorf("%s: %v, want %v", file, got, document[field])
		}
	}
}

func TestThePageHoldsEveryLaneAndNumber(t *testing.T) {
	r := sample()
	p := read(t, files(t, r)["report.html"])
	for _, in := range r.Rows {
		for _, want := range []string{in.Variant, fixed(in.RPS, 0), fixed(in.P50, 0), fixed(in.P99, 0), fixed(in.P999, 0), fixed(in.CPU, 2), fixed(in.RSS, 0), fixed(in.ClientAllocs, 1), fixed(in.Rate, 0)} {
			p.holds(t, in.Scenario, want)
		}
		if in.ProxyCPU > 0 {
			p.holds(t, in.Scenario, fixed(in.ProxyCPU, 2))
			p.holds(t, in.Scenario, fixed(in.ProxyRPSPerCore, 0))
		}
	}
	for _, of := range r.Ratios {
		p.holds(t, of.Scenario, of.text(3))
	}
	for _, of := range r.Added {
		p.holds(t, of.Scenario, of.text(1))
	}
	for _, of := range r.Pairwise {
		p.holds(t, of.Scenario, stacked(of.text(2)))
	}
	said := slices.Concat(r.Warnings, r.Method, []string{r.Environment.Go, r.Environment.Kernel, r.Environment.Load, "v1.85.0"})
	for _, proxy := range r.Proxies {
		said = append(said, proxy.Name, proxy.Version, proxy.Note)
	}
	for _, want := range said {
		if !slices.Contains(p.texts[""], want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if hop := strings.Join(p.texts[sectionOf(r.Rows[0].Scenario)], "\n"); !strings.Contains(hop, "The cheapest way through a proxy is sidecar-haproxy: it adds 40") {
		t.Error("the page does not say what a hop adds")
	}
}

func TestThePageNeedsNothingButItself(t *testing.T) {
	p := read(t, files(t, sample())["report.html"])
	ids := map[string]bool{}
	for _, e := range p.elements {
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "id" && ids[a.Value]:
				t.Errorf("two elements are %s", a.Value)
			case name == "id":
				ids[a.Value] = true
			case name == "src" || strings.HasPrefix(name, "on") || name == "href" && !strings.HasPrefix(a.Value, "#"):
				t.Errorf("%s has %s=%q", e.Name.Local, name, a.Value)
			}
		}
	}
	for _, e := range p.elements {
		switch e.Name.Local {
		case "script", "link", "img", "iframe", "object":
			t.Errorf("the page has a %s", e.Name.Local)
		case "th":
			if attribute(e, "scope") == "" {
				t.Error("a head of a table does not say of what")
			}
		case "svg":
			if attribute(e, "role") != "img" {
				t.Error("a drawing does not say that it is one")
			}
		case "a":
			if to := strings.TrimPrefix(attribute(e, "href"), "#"); !ids[to] {
				t.Errorf("a link goes to %q, which is not there", to)
			}
		}
	}
}

func TestAPageOfNothingIsOne(t *testing.T) {
	for name, runs := range map[string][]load.Measurement{
		"no runs":            nil,
		"no calls":           {{Elapsed: time.Second, Errors: 3, FirstError: "no"}},
		"no CPU":             {{Calls: 10, Elapsed: time.Second, P50: 1, P99: 1, P999: 1}},
		"no latency":         {{Calls: 10, Elapsed: time.Second, CPU: time.Second}},
		"nothing but a call": {{Calls: 1, Elapsed: 1, CPU: 1, ClientCPU: 1, P50: 1, P99: 1, P999: 1}},
	} {
		var r Report
		r.Add(scenario.Scenario{Protocol: scenario.GRPC}, []*Lane{{Name: "plain", Runs: runs}, {Name: Again, Runs: runs}, {Name: "other", Runs: runs}})
		page := files(t, &r)["report.html"]
		read(t, page)
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: the page has what is no number", name)
		}
	}
	read(t, files(t, &Report{})["report.html"])
}

// content is what a page holds.
type content struct {
	elements []xml.StartElement
	texts    map[string][]string // by the id of the section around them, "" for all
}

// read reads a page as XML, which is stricter than HTML.
func read(t *testing.T, page string) content {
	t.Helper()
	p := content{texts: map[string][]string{}}
	section := ""
	for d := xml.NewDecoder(strings.NewReader(page)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return p
		} else if err != nil {
			t.Fatalf("%v\n%s", err, page)
		}
		switch is := token.(type) {
		case xml.StartElement:
			p.elements = append(p.elements, is.Copy())
			if is.Name.Local == "section" {
				section = attribute(is, "id")
			}
		case xml.EndElement:
			if is.Name.Local == "section" {
				section = ""
			}
		case xml.CharData:
			p.texts[""] = append(p.texts[""], string(is))
			if section != "" {
				p.texts[section] = append(p.texts[section], string(is))
			}
		}
	}
}

func (p *content) holds(t *testing.T, s scenario.Scenario, text string) {
	t.Helper()
	if !slices.Contains(p.texts[sectionOf(s)], text) {
		t.Errorf("%s: %q is not on the page", s.Title(), text)
	}
}

func sectionOf(s scenario.Scenario) string { return (&group{Scenario: s}).id() }

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
