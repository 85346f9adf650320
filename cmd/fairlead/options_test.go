package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// settled is what a session makes of flags and environment.
func settled(t *testing.T, env map[string]string, args ...string) (*session, error) {
	t.Helper()
	s := &session{env: func(name string) string { return env[name] }}
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.define(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return s, s.settle(f)
}

// Flags come before our own variables, and those before etcdctl's.
func TestWhereSettingsComeFrom(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		want string // endpoints, user, password, prefix, timeouts
	}{
		{"Defaults", nil, nil, "127.0.0.1:2379 - - fairlead/v1/ 5s 2s"},
		{"Etcdctl", map[string]string{"ETCDCTL_ENDPOINTS": "a:1,b:2", "ETCDCTL_USER": "ann:x:y", "ETCDCTL_DIAL_TIMEOUT": "1s"}, nil, "a:1,b:2 ann x:y fairlead/v1/ 5s 1s"},
		{"Ours", map[string]string{"ETCDCTL_ENDPOINTS": "a:1", "FAIRLEAD_ENDPOINTS": "b:2", "FAIRLEAD_PREFIX": "p/", "FAIRLEAD_TIMEOUT": "9s"}, nil, "b:2 - - p/ 9s 2s"},
		{"Flags", map[string]string{"ETCDCTL_ENDPOINTS": "a:1", "FAIRLEAD_ENDPOINTS": "b:2", "FAIRLEAD_PREFIX": "p/"}, []string{"--endpoints", "c:3", "--prefix", "q/", "--timeout", "1m"}, "c:3 - - q/ 1m0s 2s"},
		{"PasswordApart", map[string]string{"ETCDCTL_USER": "ann:b", "ETCDCTL_PASSWORD": "c"}, nil, "127.0.0.1:2379 ann:b c fairlead/v1/ 5s 2s"},
		{"OurPassword", map[string]string{"ETCDCTL_USER": "ann:b", "FAIRLEAD_PASSWORD": "c"}, nil, "127.0.0.1:2379 ann c fairlead/v1/ 5s 2s"},
		{"UserFlag", map[string]string{"ETCDCTL_USER": "ann", "ETCDCTL_PASSWORD": "c"}, []string{"--user", "bob:d"}, "127.0.0.1:2379 bob d fairlead/v1/ 5s 2s"},
		{"UserFlagWithoutPassword", map[string]string{"FAIRLEAD_PASSWORD": "c"}, []string{"--user", "bob"}, "127.0.0.1:2379 bob c fairlead/v1/ 5s 2s"},
		{"PasswordOfNobody", map[string]string{"ETCDCTL_PASSWORD": "c"}, nil, "127.0.0.1:2379 - - fairlead/v1/ 5s 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := settled(t, c.env, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			config, err := s.config()
			if err != nil {
				t.Fatal(err)
			}
			if err := config.Validate(); err != nil {
				t.Error(err)
			}
			got := strings.Join([]string{strings.Join(config.Client.Endpoints, ","), cell(config.Client.Username), cell(config.Client.Password), config.Prefix, s.timeout.String(), config.Client.DialTimeout.String()}, " ")
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if config.Client.TLS != nil {
				t.Error("TLS that nobody asked for")
			}
		})
	}
}

func TestBadUsage(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string
		says string
		args string
	}{
		{nil, `unknown command "rule"`, "rule check"},
		{nil, `unknown command "chek"`, "rules chek"},
		{nil, "unknown flag", "services --nope"},
		{nil, "requires at least 1 arg", "rules check"},
		{nil, "accepts 1 arg", "rules get"},
		{nil, "accepts 1 arg", "rules apply a b"},
		{nil, "accepts 2 arg", "drain orders"},
		{nil, "accepts 3 arg", "weight orders a"},
		{nil, "allowed are table, json and yaml", "services -o xml"},
		{nil, "allowed is more than 0", "services --timeout 0s"},
		{nil, `version "x"`, "rules rollback orders x"},
		{nil, `version "0"`, "rules rollback orders 0"},
		{nil, `weight "-1"`, "weight orders a -- -1"},
		{nil, `weight "10001"`, "weight orders a 10001"},
		{nil, `weight "heavy"`, "weight orders a heavy"},
		{nil, `--until "tomorrow"`, "drain orders a --until tomorrow"},
		{nil, `--until "2001-01-01T00:00:00Z"`, "drain orders a --until 2001-01-01T00:00:00Z"},
		{nil, "a password is needed", "services --user ann"},
		{nil, "both are needed", "services --cert x"},
		{nil, "no such file", "services --cacert missing.pem"},
		{nil, "there is no certificate", "services --cacert " + empty},
		{nil, "no such file", "services --cert missing.pem --key missing.key"},
		{nil, "Config.Prefix", "services --prefix /p"},
		{nil, "Config.Client.Endpoints", "services --endpoints nowhere"},
		{nil, "Orders", "rules get Orders"},
		{nil, "Orders", "rules rollback Orders"},
		{nil, "a/b", "drain orders a/b"},
		{nil, "at most 256 bytes", "drain orders a --reason " + strings.Repeat("x", 257)},
		{nil, "missing.yaml: no such file", "rules apply missing.yaml"},
		{nil, "form.json:1:15: apiVersion", "rules diff " + testdata + "bad/form.json"},
		{nil, "form.json:1:15: apiVersion", "rules apply " + testdata + "bad/form.json"},
		{map[string]string{"ETCDCTL_DIAL_TIMEOUT": "soon"}, "ETCDCTL_DIAL_TIMEOUT", "services"},
	} {
		x := terminal{t, c.env}
		a := x.says(exitInvalid, []string{c.says}, strings.Fields(c.args)...)
		if a.out != "" {
			t.Errorf("%s writes %s", c.args, a.out)
		}
	}
	x := terminal{t: t}
	x.says(exitOK, []string{"Exit codes"})
	x.says(exitOK, []string{"rollback"}, "rules")
	x.says(exitOK, []string{"etcd.Config.Caller"}, "rules", "apply", "--help")
	x.says(exitOK, []string{"without a name are not shown"}, "services", "--help")
}

func TestWhoDoesIt(t *testing.T) {
	s, err := settled(t, nil)
	if err != nil || s.note.By == "" {
		t.Errorf("nobody does it: %+v, %v", s.note, err)
	}
	if s, err = settled(t, nil, "--by", ""); err != nil || s.note != (etcd.Note{}) {
		t.Errorf("somebody does it who wants no name: %+v, %v", s.note, err)
	}
}
