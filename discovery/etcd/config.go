package etcd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/fairlead-go/fairlead/discovery"
)

// Defaults and limits of a [Config].
const (
	DefaultPrefix = "fairlead/v1/"
	DefaultTTL    = 15 * time.Second
	MinTTL        = 10 * time.Second // four heartbeats and a reconnection fit in
	MaxTTL        = 5 * time.Minute

	DefaultMaxInstances = 10_000

	mostInstances = 1_000_000
)

// Config says where etcd is and how records are kept there. Only
// Client.Endpoints has no usable zero value.
type Config struct {
	// Client says how to reach etcd. It is a configuration and not a client,
	// because the registry opens two connections of its own and replaces one
	// that no longer answers.
	//
	// What is zero here is filled in: connections are retried after 0.25 s to
	// 2 s, pinged after 10 s and given up 3 s later, a message may have 16 MiB,
	// a call is tried twice within its 2 s, and the client logs nothing because
	// the registry does. Of several endpoints those that do not answer are
	// avoided for a while. A cluster whose members change their addresses wants
	// names that are resolved anew, or an AutoSyncInterval: the client then
	// follows the members itself, and nothing is avoided. DialTimeout is at most 2 s. With Username and Password
	// each heartbeat makes the server check the password anew; certificates
	// are cheaper.
	Client clientv3.Config
	// Prefix comes before every key. It has no leading slash, which the stock
	// resolver of gRPC would cut off, and a closing one. Empty means
	// [DefaultPrefix].
	Prefix string
	// TTL is how long the record of a process that died stays, from 10 s to
	// 5 min; etcd counts in whole seconds. Zero means 15 s.
	TTL time.Duration
	// MaxInstances bounds how many instances of one service are kept, against
	// a flood. What is above it is passed over, by every reader the same, and
	// logged. Zero means 10000.
	MaxInstances int
	// Caller is the service in whose name this process calls others. It shows
	// in etcd who watches which service, under the lease of the process. Empty
	// means the first service that is registered here; a process that neither
	// has a name nor registers is not shown, and needs no lease, unless it shares a
	// limit: then it counts, and is shown without a name.
	Caller string
	// Logger is told of every change of state. Nil means slog.Default().
	Logger *slog.Logger
}

// Open returns a new [Registry] for these settings; the caller closes it. It
// is New for those who open registries of several kinds.
func (c Config) Open() (discovery.Registry, error) {
	r, err := New(c)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Validate reports the first bad field as a [*discovery.FieldError].
func (c Config) Validate() error {
	if len(c.Client.Endpoints) == 0 {
		return &discovery.FieldError{Field: "Config.Client.Endpoints", Value: c.Client.Endpoints, Allowed: "at least one endpoint"}
	}
	for _, e := range c.Client.Endpoints {
		if !validEndpoint(e) {
			// The value may hold a password.
			return &discovery.FieldError{Field: "Config.Client.Endpoints", Value: withoutUser(e), Allowed: "host:port, http://host:port, https://host:port or unix:///path, without user"}
		}
	}
	if c.Client.Token != "" && c.Client.Username != "" {
		return &discovery.FieldError{Field: "Config.Client.Token", Value: "(set)", Allowed: "empty where Username is set"}
	}
	if (c.Client.Username == "") != (c.Client.Password == "") {
		return &discovery.FieldError{Field: "Config.Client.Username", Value: c.Client.Username, Allowed: "set together with Password, or not at all"}
	}
	if !validPrefix(c.Prefix) {
		return &discovery.FieldError{Field: "Config.Prefix", Value: c.Prefix, Allowed: "empty, or at most 256 bytes: names of letters, digits and . _ -, each closed by one slash, such as " + DefaultPrefix}
	}
	if c.TTL != 0 && (c.TTL < MinTTL || c.TTL > MaxTTL) {
		return &discovery.FieldError{Field: "Config.TTL", Value: c.TTL, Allowed: "0 (meaning " + DefaultTTL.String() + ") or " + MinTTL.String() + " to " + MaxTTL.String()}
	}
	if c.MaxInstances < 0 || c.MaxInstances > mostInstances {
		return &discovery.FieldError{Field: "Config.MaxInstances", Value: c.MaxInstances, Allowed: fmt.Sprintf("0 (meaning %d) to %d", DefaultMaxInstances, mostInstances)}
	}
	if c.Caller != "" && discovery.ValidateService(c.Caller) != nil {
		return &discovery.FieldError{Field: "Config.Caller", Value: c.Caller, Allowed: "empty or the name of a service: a lower-case DNS name"}
	}
	return nil
}

func validEndpoint(e string) bool {
	for _, scheme := range [...]string{"unix:", "unixs:"} {
		if path, ok := strings.CutPrefix(e, scheme); ok {
			return strings.Trim(path, "/") != ""
		}
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(e, scheme); ok {
			e = rest
			break
		}
	}
	host, port, err := net.SplitHostPort(e)
	n, nerr := strconv.ParseUint(port, 10, 16)
	return err == nil && nerr == nil && n != 0 && host != "" && !strings.ContainsAny(host, "/@ ")
}

func withoutUser(e string) string {
	if at := strings.LastIndexByte(e, '@'); at >= 0 {
		return "…" + e[at:]
	}
	return e
}

func validPrefix(p string) bool {
	if p == "" {
		return true
	}
	if len(p) > 256 || p[len(p)-1] != '/' {
		return false
	}
	for name := range strings.SplitSeq(p[:len(p)-1], "/") {
		if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, odd) {
			return false
		}
	}
	return true
}

func odd(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// normalize fills in the defaults.
func (c Config) normalize() Config {
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.TTL = cmp.Or(c.TTL, DefaultTTL)
	c.MaxInstances = cmp.Or(c.MaxInstances, DefaultMaxInstances)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Client = normalizeClient(c.Client)
	return c
}

func normalizeClient(c clientv3.Config) clientv3.Config {
	c.Endpoints = slices.Clone(c.Endpoints)
	// A client with a password waits for its first token while it is made.
	c.DialTimeout = min(cmp.Or(c.DialTimeout, callTimeout), callTimeout)
	if c.DialKeepAliveTime == 0 {
		// Not without a stream: etcd's server counts such pings as an attack and
		// closes the connection. What carries none is proved by its calls.
		c.DialKeepAliveTime, c.DialKeepAliveTimeout = 10*time.Second, 3*time.Second
	}
	c.MaxCallRecvMsgSize = cmp.Or(c.MaxCallRecvMsgSize, 16<<20)
	c.MaxUnaryRetries = cmp.Or(c.MaxUnaryRetries, 2) // counts the first try, too
	if c.Logger == nil && c.LogConfig == nil {
		// The one silent zap logger to be had without importing zap.
		c.Logger = clientv3.NewCtxClient(context.Background()).GetLogger()
	}
	// gRPC's own ceiling of two minutes would keep an instance out of its list
	// for half a minute after etcd is back. The caller's options come last and win.
	c.DialOptions = append([]grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 250 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 3 * time.Second,
	})}, c.DialOptions...)
	return c
}

// String leaves out all secrets.
func (c Config) String() string {
	return "etcd " + strings.Join(c.Client.Endpoints, ",") + " prefix " + cmp.Or(c.Prefix, DefaultPrefix) + " ttl " + cmp.Or(c.TTL, DefaultTTL).String()
}

// GoString leaves out all secrets.
func (c Config) GoString() string { return c.String() }

// LogValue leaves out all secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
