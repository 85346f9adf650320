package proxies

import "github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"

// Upstream is the protocol in which the proxy passes on calls of a protocol.
func (k Kind) Upstream(protocol string) string {
	if k.Name == "nginx" && protocol == scenario.HTTP2 {
		return scenario.HTTP1
	}
	return protocol
}
