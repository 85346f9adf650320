package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// What a line limits: a time by that of something else, or how often one
// operation allocates.
const (
	ratio  = "ratio"
	allocs = "allocs"
)

// mostRatio and mostCPUs keep a typing error from saying nothing.
const (
	mostRatio = 100
	mostCPUs  = 64
)

// limit is one line of the file of limits.
type limit struct {
	line      int
	kind      string
	cpus      int
	pkg       string   // its directory, below that of the module
	benchmark string   // as it is printed, but for the number of processors
	against   []string // whose times together are 1; none for allocations
	most      float64
	reason    string
}

func (l limit) String() string {
	text := l.pkg + " " + l.benchmark
	if l.kind == ratio {
		text += " / " + strings.Join(l.against, " + ")
	}
	if l.cpus != 1 {
		text = fmt.Sprintf("cpu=%d %s", l.cpus, text)
	}
	return text
}

// benchmarks are all that have to run.
func (l limit) benchmarks() []string { return append([]string{l.benchmark}, l.against...) }

// parse reads limits, one a line; limits.txt says how. The error names the line,
// what is wrong with it, and what is allowed.
func parse(r io.Reader) ([]limit, error) {
	var limits []limit
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		l, err := parseLine(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		l.line = n
		if i := slices.IndexFunc(limits, l.same); i >= 0 {
			return nil, fmt.Errorf("line %d: %s is limited in line %d: allowed is one line of each", n, l, limits[i].line)
		}
		limits = append(limits, l)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(limits) == 0 {
		return nil, fmt.Errorf("there are no limits: allowed is one or more")
	}
	return limits, nil
}

func (l limit) same(other limit) bool {
	return l.kind == other.kind && l.cpus == other.cpus && l.pkg == other.pkg && slices.Equal(l.benchmarks(), other.benchmarks())
}

func parseLine(fields []string) (limit, error) {
	l := limit{cpus: 1}
	next := func() (first string) {
		if len(fields) > 0 {
			first, fields = fields[0], fields[1:]
		}
		return first
	}
	if l.kind = next(); l.kind != ratio && l.kind != allocs {
		return l, fmt.Errorf("kind is %q: allowed are %q and %q", l.kind, ratio, allocs)
	}
	l.pkg = next()
	if text, ok := strings.CutPrefix(l.pkg, "cpu="); ok {
		var err error
		if l.cpus, err = strconv.Atoi(text); err != nil || l.cpus < 1 || l.cpus > mostCPUs {
			return l, fmt.Errorf("cpu is %q: allowed is 1 to %d", text, mostCPUs)
		}
		l.pkg = next()
	}
	if l.pkg == "" || path.Clean(l.pkg) != l.pkg || path.IsAbs(l.pkg) || strings.HasPrefix(l.pkg, ".") {
		return l, fmt.Errorf("package is %q: allowed is a directory below that of the module, such as transport/fairhttp", l.pkg)
	}
	if l.benchmark = next(); !isBenchmark(l.benchmark) {
		return l, fmt.Errorf("benchmark is %q: allowed is a name such as BenchmarkPick/nodes=10", l.benchmark)
	}
	for more := l.kind == ratio; more; {
		name := next()
		if !isBenchmark(name) {
			return l, fmt.Errorf("compared with is %q: allowed is a name such as BenchmarkPick/nodes=10, or several with + between them", name)
		}
		l.against = append(l.against, name)
		if more = len(fields) > 0 && fields[0] == "+"; more {
			next()
		}
	}
	text := next()
	var err error
	switch l.most, err = strconv.ParseFloat(text, 64); {
	case l.kind == ratio && !(err == nil && l.most > 0 && l.most <= mostRatio):
		return l, fmt.Errorf("limit is %q: allowed is a number above 0, at most %d", text, mostRatio)
	case l.kind == allocs && !(err == nil && l.most >= 0 && l.most == math.Trunc(l.most) && l.most < math.MaxInt32):
		return l, fmt.Errorf("limit is %q: allowed is a whole number from 0", text)
	}
	if l.reason = strings.Join(fields, " "); l.reason == "" {
		return l, fmt.Errorf("there is no reason: allowed is what the limit stands for, and where it is from")
	}
	return l, nil
}

func isBenchmark(name string) bool {
	return strings.HasPrefix(name, "Benchmark") && !strings.HasSuffix(name, "/")
}
