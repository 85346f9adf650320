package main

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// terminal is where somebody types commands.
type terminal struct {
	t   *testing.T
	env map[string]string
}

// answer is what a command did.
type answer struct {
	code     int
	out, err string
}

// terminalAt has commands use an etcd, and a prefix of the test's own.
func terminalAt(t *testing.T, endpoint string) terminal {
	return terminal{t, map[string]string{"ETCDCTL_ENDPOINTS": endpoint, "FAIRLEAD_PREFIX": prefix(t), "FAIRLEAD_TIMEOUT": "30s"}}
}

// shared is the etcd of all tests, in which this one leaves nothing.
func shared(t *testing.T) *etcdtest.Server {
	t.Helper()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := client.Delete(ctx, prefix(t), clientv3.WithPrefix()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func prefix(t *testing.T) string { return "test/" + strings.ReplaceAll(t.Name(), "/", "-") + "/" }

func (x terminal) run(args ...string) answer { return x.pipe("", args...) }

// pipe is run with an input.
func (x terminal) pipe(input string, args ...string) answer {
	var out, err bytes.Buffer
	code := run(x.t.Context(), args, func(name string) string { return x.env[name] }, strings.NewReader(input), &out, &err)
	return answer{code, out.String(), err.String()}
}

// says runs a command that has to end with a code and to say some things.
func (x terminal) says(code int, what []string, args ...string) answer {
	x.t.Helper()
	a := x.run(args...)
	x.check(a, code, what, args)
	return a
}

func (x terminal) check(a answer, code int, what, args []string) {
	x.t.Helper()
	if a.code != code {
		x.t.Errorf("%q ends with %d, want %d:\n%s%s", args, a.code, code, a.out, a.err)
	}
	for _, w := range what {
		if !strings.Contains(a.out+a.err, w) {
			x.t.Errorf("%q does not say %q:\n%s%s", args, w, a.out, a.err)
		}
	}
	if code == exitOK && a.err != "" {
		x.t.Errorf("%q complains: %s", args, a.err)
	}
}

// undo runs the command that a says would undo it.
func (x terminal) undo(a answer) answer {
	x.t.Helper()
	_, command, ok := strings.Cut(a.out, "undo: ")
	if !ok {
		x.t.Fatalf("no way back is said:\n%s%s", a.out, a.err)
	}
	words := split(strings.TrimSpace(command))
	if words[0] != "fairlead" {
		x.t.Fatalf("the way back is %q", words)
	}
	return x.says(exitOK, nil, words[1:]...)
}

// split reads words as a shell does.
func split(command string) (words []string) {
	word, quoted, some := "", false, false
	for n := 0; n < len(command); n++ {
		switch c := command[n]; {
		case strings.HasPrefix(command[n:], "$'") && !quoted:
			raw, _, _ := strings.Cut(command[n+2:], "'")
			text, err := strconv.Unquote(`"` + raw + `"`)
			if err != nil {
				panic(err)
			}
			word, some, n = word+text, true, n+2+len(raw)
		case c == '\'':
			quoted, some = !quoted, true
		case c == '\\' && !quoted:
			n++
			word, some = word+command[n:n+1], true
		case c == ' ' && !quoted:
			if some {
				words = append(words, word)
			}
			word, some = "", false
		default:
			word, some = word+command[n:n+1], true
		}
	}
	if some {
		words = append(words, word)
	}
	return words
}

func TestWordsAreQuoted(t *testing.T) {
	words := []string{"fairlead", "", "a b", "it's", `\`, "$HOME", "ü", "a;b", "--x=1,2", "\n", "*", "~", "\x1b[2J", "it's\ta \\", "\u2028é"}
	var all []string
	for _, w := range words {
		all = append(all, quoted(w))
	}
	if got := split(strings.Join(all, " ")); strings.Join(got, "|") != strings.Join(words, "|") {
		t.Errorf("%q becomes %q", words, got)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash on this machine")
	}
	out, err := exec.CommandContext(t.Context(), bash, "-c", `printf '%s|' `+strings.Join(all, " ")).Output()
	if got := strings.TrimSuffix(string(out), "|"); err != nil || got != strings.Join(words, "|") {
		t.Errorf("%q is %q to bash, %v", words, got, err)
	}
}

// put writes a key past the command.
func put(t *testing.T, server *etcdtest.Server, key, value string, options ...clientv3.OpOption) {
	t.Helper()
	if _, err := server.Client(t).Put(t.Context(), prefix(t)+key, value, options...); err != nil {
		t.Fatal(err)
	}
}

// lease is one that outlives the test.
func lease(t *testing.T, server *etcdtest.Server) clientv3.OpOption {
	t.Helper()
	l, err := server.Client(t).Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	return clientv3.WithLease(l.ID)
}
