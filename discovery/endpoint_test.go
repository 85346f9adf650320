package discovery_test

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestEndpointUnix(t *testing.T) {
	for addr, want := range map[string]string{
		"unix:/run/orders.sock": "/run/orders.sock",
		"unix:":                 "",
		"10.0.0.7:8080":         "",
		"/run/orders.sock":      "",
	} {
		path, ok := discovery.Endpoint{Addr: addr}.Unix()
		if wantOK := strings.HasPrefix(addr, "unix:"); ok != wantOK || ok && path != want {
			t.Errorf("Unix() of %q = %q, %t; want %q, %t", addr, path, ok, want, wantOK)
		}
	}
}

func TestEndpointValidate(t *testing.T) {
	const field = "Instance.Endpoints[1]"
	socketOf := func(bytes int) string { return "unix:/" + strings.Repeat("s", bytes-1) }
	for _, row := range []struct {
		name     string
		endpoint discovery.Endpoint
		bad      string // the field; "": none
	}{
		{"IPv4", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7:8080"}, ""},
		{"IPv6", discovery.Endpoint{Protocol: "grpc", Addr: "[2001:db8::7]:1"}, ""},
		{"loopback", discovery.Endpoint{Protocol: "grpc", Addr: "127.0.0.1:65535"}, ""},
		{"host name", discovery.Endpoint{Protocol: "http", Addr: "orders-7.example:8080"}, ""},
		{"host name of one label", discovery.Endpoint{Protocol: "http", Addr: "localhost:8080"}, ""},
		{"host name that only begins like a number", discovery.Endpoint{Protocol: "http", Addr: "0x7f.1.0xgg:8080"}, ""},
		{"a protocol of somebody else", discovery.Endpoint{Protocol: "thrift+tls-1", Addr: "10.0.0.7:8080"}, ""},
		{"unix socket", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/fair lead/orders.sock"}, ""},
		{"unix socket of 107 bytes", discovery.Endpoint{Protocol: "grpc", Addr: socketOf(107)}, ""},

		{"no protocol", discovery.Endpoint{Protocol: "", Addr: "10.0.0.7:8080"}, ".Protocol"},
		{"upper-case protocol", discovery.Endpoint{Protocol: "HTTP", Addr: "10.0.0.7:8080"}, ".Protocol"},
		{"protocol of 33 bytes", discovery.Endpoint{Protocol: discovery.Protocol(strings.Repeat("h", 33)), Addr: "10.0.0.7:8080"}, ".Protocol"},

		{"no address", discovery.Endpoint{Protocol: "http", Addr: ""}, ".Addr"},
		{"host name, upper case", discovery.Endpoint{Protocol: "http", Addr: "Orders.example:8080"}, ".Addr"},
		{"host name, rooted", discovery.Endpoint{Protocol: "http", Addr: "orders.example.:8080"}, ".Addr"},
		{"host name without a port", discovery.Endpoint{Protocol: "http", Addr: "orders.example"}, ".Addr"},
		{"host name, port 0", discovery.Endpoint{Protocol: "http", Addr: "orders.example:0"}, ".Addr"},
		{"host name, port too high", discovery.Endpoint{Protocol: "http", Addr: "orders.example:65536"}, ".Addr"},
		{"host name, signed port", discovery.Endpoint{Protocol: "http", Addr: "orders.example:+80"}, ".Addr"},
		{"host name with a user", discovery.Endpoint{Protocol: "http", Addr: "me@orders.example:80"}, ".Addr"},
		{"another host behind the port", discovery.Endpoint{Protocol: "http", Addr: "orders.example:80@evil.example"}, ".Addr"},
		{"another host behind an address", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7:80@evil.example:80"}, ".Addr"},
		{"path behind the port", discovery.Endpoint{Protocol: "http", Addr: "orders.example:80/x"}, ".Addr"},
		{"host name with a line break", discovery.Endpoint{Protocol: "http", Addr: "orders.example\n:80"}, ".Addr"},
		{"decimal address", discovery.Endpoint{Protocol: "http", Addr: "2130706433:80"}, ".Addr"},
		{"octal address", discovery.Endpoint{Protocol: "http", Addr: "0177.0.0.1:80"}, ".Addr"},
		{"octal address, one number", discovery.Endpoint{Protocol: "http", Addr: "017700000001:80"}, ".Addr"},
		{"hex address", discovery.Endpoint{Protocol: "http", Addr: "0x7f000001:80"}, ".Addr"},
		{"hex address, dotted", discovery.Endpoint{Protocol: "http", Addr: "0x7f.0x0.0x0.0x1:80"}, ".Addr"},
		{"hex at the end", discovery.Endpoint{Protocol: "http", Addr: "127.0x1:80"}, ".Addr"},
		{"hex zero without digits", discovery.Endpoint{Protocol: "http", Addr: "127.0.0.0x:80"}, ".Addr"},
		{"short address", discovery.Endpoint{Protocol: "http", Addr: "127.1:80"}, ".Addr"},
		{"zero", discovery.Endpoint{Protocol: "http", Addr: "0:80"}, ".Addr"},
		{"leading zeros", discovery.Endpoint{Protocol: "http", Addr: "010.0.0.7:80"}, ".Addr"},
		{"IPv6 without brackets", discovery.Endpoint{Protocol: "http", Addr: "2001:db8::7:80"}, ".Addr"},
		{"host name in brackets", discovery.Endpoint{Protocol: "http", Addr: "[orders.example]:80"}, ".Addr"},
		{"no port", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7"}, ".Addr"},
		{"port 0", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7:0"}, ".Addr"},
		{"port too high", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7:65536"}, ".Addr"},
		{"named port", discovery.Endpoint{Protocol: "http", Addr: "10.0.0.7:http"}, ".Addr"},
		{"all interfaces", discovery.Endpoint{Protocol: "http", Addr: "0.0.0.0:8080"}, ".Addr"},
		{"all IPv6 interfaces", discovery.Endpoint{Protocol: "http", Addr: "[::]:8080"}, ".Addr"},
		{"no host", discovery.Endpoint{Protocol: "http", Addr: ":8080"}, ".Addr"},
		{"multicast", discovery.Endpoint{Protocol: "http", Addr: "224.0.0.1:8080"}, ".Addr"},
		{"zone, which means another interface on another host", discovery.Endpoint{Protocol: "http", Addr: "[fe80::1%eth0]:8080"}, ".Addr"},
		{"URL", discovery.Endpoint{Protocol: "http", Addr: "http://10.0.0.7:8080"}, ".Addr"},

		{"unix without path", discovery.Endpoint{Protocol: "grpc", Addr: "unix:"}, ".Addr"},
		{"unix with relative path", discovery.Endpoint{Protocol: "grpc", Addr: "unix:run/orders.sock"}, ".Addr"},
		{"unix abstract", discovery.Endpoint{Protocol: "grpc", Addr: "unix:@orders"}, ".Addr"},
		{"unix as a URL", discovery.Endpoint{Protocol: "grpc", Addr: "unix:///run/orders.sock"}, ".Addr"},
		{"unix with dot-dot", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/../etc/orders.sock"}, ".Addr"},
		{"unix with dot", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/./orders.sock"}, ".Addr"},
		{"unix with slash at the end", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/"}, ".Addr"},
		{"unix with zero byte", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/a\x00b"}, ".Addr"},
		{"unix with line break", discovery.Endpoint{Protocol: "grpc", Addr: "unix:/run/a\nb"}, ".Addr"},
		{"unix of 108 bytes", discovery.Endpoint{Protocol: "grpc", Addr: socketOf(108)}, ".Addr"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := valid()
			i.Endpoints = []discovery.Endpoint{{Protocol: "http", Addr: "10.0.0.7:8080"}, row.endpoint}
			switch row.bad {
			case "":
				wantFieldError(t, i.Validate(), "", nil)
			case ".Protocol":
				wantFieldError(t, i.Validate(), field+row.bad, string(row.endpoint.Protocol))
			case ".Addr":
				wantFieldError(t, i.Validate(), field+row.bad, row.endpoint.Addr)
			}
		})
	}
}
