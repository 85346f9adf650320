package main

import (
	"context"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// called is a gRPC server whose calls are what handler says, and a stream to it through
// the proxy.
func called(t *testing.T, handler func(grpc.ServerStream) error) (*proxy, grpc.ClientStream, context.CancelFunc) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return handler(s) }))
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	p := start(t, "grpc", l.Addr().String())
	conn, err := grpc.NewClient("passthrough:///"+p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/any/Method")
	if err != nil {
		t.Fatal(err)
	}
	return p, stream, cancel
}

// A stream that is cut off must not look like one that was sent to its end.
func TestACancelledCallIsCancelledUpstream(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	_, stream, cancel := called(t, func(s grpc.ServerStream) error {
		close(entered)
		s.RecvMsg(new(emptypb.Empty))
		left <- s.RecvMsg(new(emptypb.Empty))
		return nil
	})
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel()
	if err := <-left; status.Code(err) != codes.Canceled {
		t.Errorf("the upstream sees %v", err)
	}
}

func TestAHeaderDoesNotWaitForAMessage(t *testing.T) {
	goOn := make(chan struct{})
	_, stream, _ := called(t, func(s grpc.ServerStream) error {
		s.SendHeader(map[string][]string{"early": {"yes"}})
		<-goOn
		return nil
	})
	defer close(goOn)
	if header, err := stream.Header(); err != nil || len(header["early"]) == 0 {
		t.Errorf("the header is %v (%v)", header, err)
	}
}

func TestOnSIGTERMStreamsAreFinished(t *testing.T) {
	p, stream, _ := called(t, func(s grpc.ServerStream) error {
		for {
			if err := s.RecvMsg(new(emptypb.Empty)); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			s.SendMsg(new(emptypb.Empty))
		}
	})
	exchange := func() {
		t.Helper()
		if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	p.terminate(t)
	p.gone(t)
	exchange()
	stream.CloseSend()
	if err := stream.RecvMsg(new(emptypb.Empty)); err != io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
	p.ended(t)
}
