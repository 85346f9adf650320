package rule_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// scripted is a source that says what a test sends it.
type scripted chan said

type said struct {
	document rule.Document
	err      error
}

func (s scripted) Rules(ctx context.Context, _ string) iter.Seq2[rule.Document, error] {
	return func(yield func(rule.Document, error) bool) {
		for {
			select {
			case w := <-s:
				if !yield(w.document, w.err) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// following returns what a source last said, and a way to end it.
func following(source rule.Source) (last func() string, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var word atomic.Value
	word.Store("nothing yet")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d, err := range source.Rules(ctx, "orders") {
			said := fmt.Sprintf("%s of %s, live %t", d.Text, d.Origin, d.Live)
			if d.Text == nil {
				said = fmt.Sprintf("none, live %t", d.Live)
			}
			if err != nil {
				said += ", " + err.Error()
			}
			word.Store(said)
		}
	}()
	return func() string { synctest.Wait(); return word.Load().(string) }, func() { cancel(); <-done }
}

func TestLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upper, lower := make(scripted), make(scripted)
		last, end := following(rule.Layers{upper, lower})
		want := func(want string) {
			t.Helper()
			if got := last(); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
		say := func(s scripted, text string, live bool, err error) {
			d := rule.Document{Service: "orders", Origin: map[bool]string{true: "upper", false: "lower"}[s == upper], Live: live}
			if text != "" {
				d.Text = []byte(text)
			}
			s <- said{d, err}
		}
		want("nothing yet")
		say(lower, "l1", true, nil)
		want("l1 of lower, live true")
		say(upper, "", false, errors.New("down"))
		want("l1 of lower, live true, down")
		say(upper, "", true, nil)
		want("l1 of lower, live true")
		say(upper, "u1", true, nil)
		want("u1 of upper, live true")
		say(lower, "l2", true, nil)
		want("u1 of upper, live true")
		say(upper, "", false, errors.New("down")) // lost touch, which deletes nothing
		want("u1 of upper, live false, down")
		say(upper, "", true, nil)
		want("l2 of lower, live true")
		say(lower, "", true, nil)
		want("none, live true")
		end()
	})
}

// remembering is a source that knows something before it is heard.
type remembering struct{ scripted }

func (remembering) Remembered(service string) (rule.Document, bool) {
	return rule.Document{Service: service, Text: []byte("r"), Origin: "memory"}, true
}

func TestLayersBeginWithWhatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upper, lower := make(scripted), make(scripted)
		last, end := following(rule.Layers{remembering{upper}, lower})
		lower <- said{rule.Document{Service: "orders", Text: []byte("l"), Live: true}, nil}
		if got, want := last(), "r of memory, live false"; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		upper <- said{rule.Document{Service: "orders", Live: true}, nil} // there is none any more
		if got, want := last(), "l of , live true"; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		end()
	})
}

func TestStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, err := rule.Static(policy(rule.Route{Name: "a"}))
		if err != nil {
			t.Fatal(err)
		}
		last, end := following(source)
		if got := last(); !strings.Contains(got, `"name":"a"`) || !strings.HasSuffix(got, "of code, live true") {
			t.Error(got)
		}
		end()
	})
	if _, err := rule.Static(policy(), policy()); err == nil || !strings.Contains(err.Error(), "policy 1: rule: spec.service is \"orders\": allowed is one policy for a service") {
		t.Errorf("two of one service: %v", err)
	}
	bad := policy()
	bad.Kind = "?"
	if _, err := rule.Static(policy(), bad); err == nil || !strings.Contains(err.Error(), "policy 1: rule: kind is") {
		t.Errorf("a bad one: %v", err)
	}
}

func TestDir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rules")
		file := filepath.Join(path, "orders.json")
		last, end := following(rule.Dir{Path: path})
		want := func(want string) {
			t.Helper()
			time.Sleep(time.Second) // of the bubble: files are looked at once a second
			if got := last(); !strings.HasPrefix(got, want) {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		want("none, live false, rule: " + path + " is no directory")
		must(os.Mkdir(path, 0o700))
		want("none, live true")
		must(os.WriteFile(file, []byte("a"), 0o600))
		want("a of " + file + ", live true")
		must(os.WriteFile(file+".new", []byte("b"), 0o600))
		must(os.Rename(file+".new", file))
		want("b of " + file + ", live true")
		must(os.Rename(path, path+".away"))
		want("b of " + file + ", live false, rule: " + path)
		must(os.Rename(path+".away", path))
		want("b of " + file + ", live true")
		must(os.Remove(file))
		want("none, live true")
		must(os.Mkdir(file, 0o700))
		want("none, live false, rule: " + file + " is no regular file")
		end()
	})
}

// A directory of documents in YAML puts them in force.
func TestDirOfYAML(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		text := "apiVersion: fairlead/v1alpha1\nkind: ServicePolicy\nspec:\n  service: orders\n  timeout: 3s\n"
		if err := os.WriteFile(filepath.Join(path, "orders.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var s rule.Standing
		for d, err := range yaml.Dir(path).Rules(t.Context(), "orders") {
			if err != nil {
				t.Fatal(err)
			}
			s = s.Next(d)
			break
		}
		if s.Refused != nil || s.Table == nil || s.Table.Policy.Spec.Timeout != rule.Duration(3*time.Second) || s.Revision == 0 || s.Origin != filepath.Join(path, "orders.yaml") {
			t.Errorf("in force is %+v", s)
		}
	})
}
