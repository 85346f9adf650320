package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Config)
		field string // of the error; "": none
	}{
		{"Least", func(*Config) {}, ""},
		{"Everything", func(c *Config) {
			c.Client.Endpoints = []string{"etcd-0.example:2379", "https://10.0.0.1:2379", "http://[::1]:2379", "unix:///run/etcd.sock"}
			c.Client.Username, c.Client.Password = "u", "p"
			c.Prefix, c.TTL, c.Logger = "team-a/mesh.v2/", MaxTTL, slog.Default()
		}, ""},
		{"NoEndpoint", func(c *Config) { c.Client.Endpoints = nil }, "Config.Client.Endpoints"},
		{"EmptyEndpoint", func(c *Config) { c.Client.Endpoints = []string{""} }, "Config.Client.Endpoints"},
		{"NoPort", func(c *Config) { c.Client.Endpoints = []string{"etcd.example"} }, "Config.Client.Endpoints"},
		{"PortZero", func(c *Config) { c.Client.Endpoints = []string{"etcd.example:0"} }, "Config.Client.Endpoints"},
		{"PortTooLarge", func(c *Config) { c.Client.Endpoints = []string{"etcd.example:65536"} }, "Config.Client.Endpoints"},
		{"NoHost", func(c *Config) { c.Client.Endpoints = []string{":2379"} }, "Config.Client.Endpoints"},
		{"Path", func(c *Config) { c.Client.Endpoints = []string{"http://etcd.example/x:2379"} }, "Config.Client.Endpoints"},
		{"OtherScheme", func(c *Config) { c.Client.Endpoints = []string{"dns:///etcd.example:2379"} }, "Config.Client.Endpoints"},
		{"UserInEndpoint", func(c *Config) { c.Client.Endpoints = []string{"http://root@etcd.example:2379"} }, "Config.Client.Endpoints"},
		{"OneBadEndpointOfTwo", func(c *Config) { c.Client.Endpoints = append(c.Client.Endpoints, "x") }, "Config.Client.Endpoints"},
		{"EmptySocketPath", func(c *Config) { c.Client.Endpoints = []string{"unix://"} }, "Config.Client.Endpoints"},
		{"TokenAndUser", func(c *Config) { c.Client.Token, c.Client.Username, c.Client.Password = "t", "u", "p" }, "Config.Client.Token"},
		{"UserWithoutPassword", func(c *Config) { c.Client.Username = "u" }, "Config.Client.Username"},
		{"PrefixWithLeadingSlash", func(c *Config) { c.Prefix = "/fairlead/" }, "Config.Prefix"},
		{"PrefixWithoutClosingSlash", func(c *Config) { c.Prefix = "fairlead" }, "Config.Prefix"},
		{"PrefixIsSlash", func(c *Config) { c.Prefix = "/" }, "Config.Prefix"},
		{"PrefixWithEmptyName", func(c *Config) { c.Prefix = "a//b/" }, "Config.Prefix"},
		{"PrefixWithDots", func(c *Config) { c.Prefix = "a/../" }, "Config.Prefix"},
		{"PrefixWithSpace", func(c *Config) { c.Prefix = "a b/" }, "Config.Prefix"},
		{"PrefixWithPercent", func(c *Config) { c.Prefix = "a%2fb/" }, "Config.Prefix"},
		{"PrefixTooLong", func(c *Config) { c.Prefix = strings.Repeat("a", 256) + "/" }, "Config.Prefix"},
		{"TTLTooShort", func(c *Config) { c.TTL = MinTTL - 1 }, "Config.TTL"},
		{"TTLNegative", func(c *Config) { c.TTL = -1 }, "Config.TTL"},
		{"TTLTooLong", func(c *Config) { c.TTL = MaxTTL + 1 }, "Config.TTL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}}}
			c.spoil(&config)
			err := config.Validate()
			bad, _ := errors.AsType[*discovery.FieldError](err)
			if c.field == "" && err != nil || c.field != "" && (bad == nil || bad.Field != c.field || bad.Allowed == "") {
				t.Errorf("Validate() = %v, want an error of the field %q", err, c.field)
			}
			r, err := config.Open()
			if (err == nil) != (c.field == "") || (err == nil) != (r != nil) {
				t.Errorf("Open() = %v, %v", r, err)
			}
			if r, ok := r.(*Registry); ok && err == nil {
				closeNow(t, r)
			}
		})
	}
}

func closeNow(t *testing.T, r *Registry) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigDefaults(t *testing.T) {
	given := Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}}}
	c := given.normalize()
	if c.Prefix != "fairlead/v1/" || c.TTL != 15*time.Second || c.Logger == nil {
		t.Errorf("defaults: prefix %q, TTL %s, logger %v", c.Prefix, c.TTL, c.Logger)
	}
	k := c.Client
	if k.DialTimeout != 2*time.Second || k.DialKeepAliveTime != 10*time.Second || k.DialKeepAliveTimeout != 3*time.Second || k.PermitWithoutStream ||
		k.MaxCallRecvMsgSize != 16<<20 || k.MaxUnaryRetries != 2 || k.Logger == nil || len(k.DialOptions) != 1 {
		t.Errorf("defaults of the client: %+v", k)
	}
	c.Client.Endpoints[0] = "changed"
	if given.Client.Endpoints[0] == "changed" {
		t.Error("the caller's endpoints are shared")
	}
}

func TestConfigKeepsWhatTheCallerSet(t *testing.T) {
	c := Config{TTL: time.Minute, Prefix: "p/", Client: clientv3.Config{
		DialTimeout: time.Second, DialKeepAliveTime: time.Minute, DialKeepAliveTimeout: 7 * time.Second, MaxCallRecvMsgSize: 1 << 20, MaxUnaryRetries: 9,
	}}.normalize()
	k := c.Client
	if c.TTL != time.Minute || c.Prefix != "p/" || k.DialTimeout != time.Second || k.DialKeepAliveTime != time.Minute ||
		k.DialKeepAliveTimeout != 7*time.Second || k.PermitWithoutStream || k.MaxCallRecvMsgSize != 1<<20 || k.MaxUnaryRetries != 9 {
		t.Errorf("settings were replaced: %+v", c)
	}
}

func TestConfigShowsNoSecrets(t *testing.T) {
	const secret = "hunter2"
	c := Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}, Username: "u", Password: secret, Token: secret}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "config", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "config", c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, verb, c)
	}
	bad := Config{Client: clientv3.Config{Endpoints: []string{"http://root:" + secret + "@etcd.example:2379"}}}
	fmt.Fprint(&log, bad.Validate())
	if strings.Contains(log.String(), secret) {
		t.Errorf("a secret is shown: %s", log.String())
	}
	if !strings.Contains(log.String(), "127.0.0.1:2379") {
		t.Errorf("nothing is shown: %s", log.String())
	}
}
