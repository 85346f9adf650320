package fairgrpc_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
)

// refuser is a server that refuses every stream before it processes it, which
// gRPC's own server never does. It speaks just enough HTTP/2 for that.
type refuser struct {
	addr    string
	refused atomic.Int64
}

const (
	frameHeaders   = 1
	frameRSTStream = 3
	frameSettings  = 4
	framePing      = 6
	flagAck        = 1
	refusedStream  = 7
)

func refuse(t *testing.T) *refuser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &refuser{addr: l.Addr().String()}
	tracked := &listener{Listener: l}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := tracked.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { _ = r.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		tracked.cut()
		serving.Wait()
	})
	return r
}

// connected waits until the client's balancer uses the refuser, and returns how
// many streams it has refused by then. An instance that answers must be in use
// already, or a call may know nobody but the refuser.
func (r *refuser) connected(t *testing.T, conn *grpc.ClientConn) int64 {
	t.Helper()
	eventually(t, "the refuser is connected", func() bool {
		mustCall(t, conn, get, "")
		return r.refused.Load() > 0
	})
	return r.refused.Load()
}

func (r *refuser) serve(c net.Conn) error {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if _, err := io.CopyN(io.Discard, c, int64(len(preface))); err != nil {
		return err
	}
	if err := writeFrame(c, frameSettings, 0, 0, nil); err != nil {
		return err
	}
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return err
		}
		stream := binary.BigEndian.Uint32(head[5:])
		var err error
		switch kind, ack := head[3], head[4]&flagAck != 0; {
		case kind == frameSettings && !ack:
			err = writeFrame(c, frameSettings, flagAck, 0, nil)
		case kind == framePing && !ack:
			err = writeFrame(c, framePing, flagAck, 0, payload)
		case kind == frameHeaders:
			r.refused.Add(1)
			err = writeFrame(c, frameRSTStream, 0, stream, binary.BigEndian.AppendUint32(nil, refusedStream))
		}
		if err != nil {
			return err
		}
	}
}

func writeFrame(c net.Conn, kind, flags byte, stream uint32, payload []byte) error {
	n := len(payload)
	frame := binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)
	_, err := c.Write(append(frame, payload...))
	return err
}
