package proxies

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// nowhere is for hops that nobody calls.
var nowhere = []string{"127.0.0.1:1"}

func TestWhatIsFoundHasAVersionAndAPath(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		if k.Version == "" || k.Version == "unknown" || !filepath.IsAbs(k.Path) {
			t.Errorf("found %+v", k)
		}
	})
	kind(t, fairlead) // which is always there
}

// A proxy that is given the configuration of another says that it cannot read it.
func TestTheErrorHasTheWordsOfAProxyThatDoesNotStart(t *testing.T) {
	words := map[string]string{
		"nginx":   "unknown directive",
		"haproxy": "unknown keyword",
		"caddy":   "adapting config",
		"envoy":   "", // whatever
		fairlead:  "invalid character",
	}
	each(t, func(t *testing.T, k Kind) {
		k.recipe.file = map[bool]string{true: "envoy.yaml", false: "nginx.conf"}[k.Name == "nginx"]
		dir := folder(t)
		p, err := k.Start(t.Context(), Config{Dir: dir, Protocol: scenario.HTTP1, Hops: []Hop{{Upstreams: nowhere}}})
		if err == nil {
			p.Stop()
			t.Fatal("it started with a configuration that is not its own")
		}
		if !strings.Contains(err.Error(), words[k.Name]) || !strings.HasPrefix(err.Error(), k.Name+" "+k.Version+": ") {
			t.Errorf("the error is %q, want who says %q", err, words[k.Name])
		}
	})
}

// Between the choice of a free address and its use somebody may take it.
func TestAnAddressThatSomebodyTookIsTriedNoMore(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		given := 0
		free := func() (string, error) {
			if given++; given == 1 {
				return taken.Addr().String(), nil
			}
			return loopback.Addr()
		}
		p, err := k.start(t.Context(), Config{Dir: folder(t), Protocol: scenario.HTTP1, Hops: []Hop{{Upstreams: nowhere}}}, free)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop()
		if given != 2 || p.Addrs[0] == taken.Addr().String() {
			t.Errorf("after %d tries it listens at %v", given, p.Addrs)
		}
	})
}

func TestAConfigIsRefusedWithFieldAndRule(t *testing.T) {
	good := Config{Dir: folder(t), Protocol: scenario.HTTP1, Hops: []Hop{{Upstreams: nowhere}}}
	long := "unix:/" + strings.Repeat("s", 107)
	for _, c := range []struct {
		want  string
		wrong func(*Config)
	}{
		{`Config.Protocol "http3": allowed are`, func(c *Config) { c.Protocol = "http3" }},
		{`Config.Dir "here": allowed is an absolute path`, func(c *Config) { c.Dir = "here" }},
		{`Config.Dir "/tmp/a b": allowed is`, func(c *Config) { c.Dir = "/tmp/a b" }},
		{`Config.Hops []: allowed are one or more`, func(c *Config) { c.Hops = nil }},
		{`Config.Hops[0].Upstreams []: allowed are one or more`, func(c *Config) { c.Hops = []Hop{{}} }},
		{`Config.Hops[0].Upstreams: address "orders": allowed are`, func(c *Config) { c.Hops = []Hop{{Upstreams: []string{"orders"}}} }},
		{`Config.Hops[0].Upstreams: address "unix:a": allowed are`, func(c *Config) { c.Hops = []Hop{{Upstreams: []string{"unix:a"}}} }},
		{`address "unix:/a;b": allowed are`, func(c *Config) { c.Hops = []Hop{{Upstreams: []string{"unix:/a;b"}}} }},
		{`address "` + long, func(c *Config) { c.Hops = []Hop{{Upstreams: []string{long}}} }},
	} {
		bad := good
		c.wrong(&bad)
		if p, err := kind(t, fairlead).Start(t.Context(), bad); err == nil {
			p.Stop()
			t.Errorf("it takes %+v", bad)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("the error is %q, want %q", err, c.want)
		}
	}
	if left, _ := os.ReadDir(good.Dir); len(left) > 0 {
		t.Errorf("what is refused leaves %v", left)
	}
}
