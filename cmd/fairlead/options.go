package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// options are what the flags of all commands say.
type options struct {
	flags  *pflag.FlagSet // of the command that runs
	output string
	dryRun bool
	note   etcd.Note

	timeout, dialTimeout time.Duration
	prefix               string
	endpoints            []string
	cacert, cert, key    string
	user, password       string
	skipVerify           bool
}

// The forms of the output.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

func (s *options) define(f *pflag.FlagSet) {
	f.StringVarP(&s.output, "output", "o", asTable, "form of the output: table, json or yaml")
	f.BoolVar(&s.dryRun, "dry-run", false, "write nothing, say what would be written")
	f.StringVar(&s.note.Reason, "reason", "", "why, for those who wonder later")
	f.StringVar(&s.note.By, "by", "", "who does it (default: the user of this process)")
	f.DurationVar(&s.timeout, "timeout", 5*time.Second, "how long to wait for etcd")
	f.StringVar(&s.prefix, "prefix", etcd.DefaultPrefix, "what all keys begin with")
	f.StringSliceVar(&s.endpoints, "endpoints", []string{"127.0.0.1:2379"}, "where etcd is, separated by commas")
	f.StringVar(&s.cacert, "cacert", "", "file with the certificates that etcd's is checked by")
	f.StringVar(&s.cert, "cert", "", "file with the certificate that etcd is shown")
	f.StringVar(&s.key, "key", "", "file with the key of that certificate")
	f.StringVar(&s.user, "user", "", "name of a user of etcd, or name:password")
	f.StringVar(&s.password, "password", "", "password of that user; better said by the environment")
	f.DurationVar(&s.dialTimeout, "dial-timeout", 2*time.Second, "how long one attempt to connect may take, 2s at most")
	f.BoolVar(&s.skipVerify, "insecure-skip-tls-verify", false, "do not check etcd's certificate: anybody may pose as etcd")
}

// variables are the names of flags in the environment, after FAIRLEAD_ or, for
// those that etcdctl knows, ETCDCTL_.
func variables() map[string][]string {
	both := func(name string) []string { return []string{"FAIRLEAD_" + name, "ETCDCTL_" + name} }
	return map[string][]string{
		"endpoints": both("ENDPOINTS"), "cacert": both("CACERT"), "cert": both("CERT"), "key": both("KEY"),
		"user": both("USER"), "password": both("PASSWORD"), "dial-timeout": both("DIAL_TIMEOUT"),
		"insecure-skip-tls-verify": both("INSECURE_SKIP_TLS_VERIFY"),
		"prefix":                   {"FAIRLEAD_PREFIX"}, "timeout": {"FAIRLEAD_TIMEOUT"},
	}
}

// settle takes from the environment what no flag says, and checks the rest.
func (s *session) settle(f *pflag.FlagSet) error {
	s.flags = f
	rank := map[string]int{} // where an option is from: 0 flag, then in the order of variables
	for name, names := range variables() {
		rank[name] = len(names) + 1
		if f.Changed(name) {
			rank[name] = 0
			continue
		}
		for n, variable := range names {
			value := s.env(variable)
			if value == "" {
				continue
			}
			if err := f.Lookup(name).Value.Set(value); err != nil {
				return fmt.Errorf("%s: %w", variable, err)
			}
			rank[name] = n + 1
			break
		}
	}
	// As with etcdctl, a name may hold a colon where the password is said apart.
	if name, password, ok := strings.Cut(s.user, ":"); ok && rank["user"] != rank["password"] {
		s.user = name
		if rank["user"] < rank["password"] {
			s.password = password
		}
	}
	switch {
	case !slices.Contains([]string{asTable, asJSON, asYAML}, s.output):
		return fmt.Errorf("--output %q: allowed are table, json and yaml", s.output)
	case s.timeout <= 0:
		return fmt.Errorf("--timeout %s: allowed is more than 0", s.timeout)
	case s.user != "" && s.password == "":
		return errors.New("--user: a password is needed as well, by FAIRLEAD_PASSWORD, --password or --user NAME:PASSWORD")
	case s.user == "":
		s.password = ""
	}
	if !f.Changed("by") {
		s.note.By = s.whoami()
	}
	return s.note.Validate()
}

func (s *session) whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return cmp.Or(s.env("USER"), s.env("USERNAME"))
}

// config says how to reach etcd.
func (s *options) config() (etcd.Config, error) {
	security, err := s.tls()
	if err != nil {
		return etcd.Config{}, err
	}
	return etcd.Config{
		Client: clientv3.Config{Endpoints: s.endpoints, DialTimeout: s.dialTimeout, TLS: security, Username: s.user, Password: s.password},
		Prefix: s.prefix,
		Logger: slog.New(slog.DiscardHandler), // errors say it all
	}, nil
}

// tls returns nil where nothing asks for it.
func (s *options) tls() (*tls.Config, error) {
	if s.cacert == "" && s.cert == "" && s.key == "" && !s.skipVerify {
		return nil, nil
	}
	c := &tls.Config{InsecureSkipVerify: s.skipVerify}
	if s.cacert != "" {
		trusted, err := os.ReadFile(s.cacert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, fmt.Errorf("--cacert %s: there is no certificate in it", s.cacert)
		}
	}
	if s.cert == "" && s.key == "" {
		return c, nil
	}
	if s.cert == "" || s.key == "" {
		return nil, errors.New("--cert and --key: both are needed, or none")
	}
	own, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, fmt.Errorf("--cert and --key: %w", err)
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}
