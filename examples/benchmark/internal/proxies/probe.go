package proxies

import (
	"bytes"
	"context"
	"io"
	"net"
	"time"
)

// HTTP/2, as a client begins it (RFC 9113, section 3.4): the preface and empty settings.
// A server begins with its own settings, of which this is the type of the frame.
const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	settingsType = 4
)

// serves reports whether a proxy answers at an address, without a call that an upstream
// would see: a listener accepts before there is anybody to serve it.
func serves(ctx context.Context, addr address, http1 bool) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	network, at := addr.network()
	conn, err := new(net.Dialer).DialContext(ctx, network, at)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	question := preface
	if http1 {
		question = "this is no request\r\n\r\n"
	}
	if _, err := io.WriteString(conn, question); err != nil {
		return false
	}
	answer := make([]byte, 9)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return false
	}
	if http1 {
		return bytes.HasPrefix(answer, []byte("HTTP/1."))
	}
	return answer[3] == settingsType
}
