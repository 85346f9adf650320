package target

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
)

// size is how many instances there are.
const size = 4

// Fleet is the instances. They share one process: four on few cores would mostly
// measure the switching between them.
type Fleet struct {
	Places    Places
	next      client.Caller // Close is nil where there is none
	instances []*instance
	closers   []func()
	failed    chan error     // the first server that ended too early
	serving   sync.WaitGroup // a goroutine for each listener, ended by closers
}

// Open starts the instances. They listen when it returns.
func Open(s Settings) (_ *Fleet, err error) {
	f := &Fleet{Places: Places{TCP: map[string][]string{}, Unix: map[string][]string{}}, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	onward := func() call { return nil }
	if s.Next != nil {
		if f.next, err = s.Next.Dial(); err != nil {
			return nil, fmt.Errorf("next hop: %w", err)
		}
		onward = func() call { return f.next.Worker() }
	}
	each := burner(calibrate())
	for n := range size {
		i := &instance{millisecond: each, onward: onward}
		f.instances = append(f.instances, i)
		if err := f.start(i, n, s.Dir); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// start has instance number n listen for each protocol.
func (f *Fleet) start(i *instance, n int, dir string) error {
	forHTTP1, forHTTP2, forGRPC := &http.Server{Handler: i}, &http.Server{Handler: i}, grpc.NewServer()
	forHTTP1.Protocols, forHTTP2.Protocols = new(http.Protocols), new(http.Protocols)
	forHTTP1.Protocols.SetHTTP1(true)
	forHTTP2.Protocols.SetUnencryptedHTTP2(true)
	orders.RegisterOrdersServer(forGRPC, desk{instance: i})
	f.closers = append(f.closers, func() { forHTTP1.Close() }, func() { forHTTP2.Close() }, forGRPC.Stop)
	return errors.Join(
		f.listen(forHTTP1.Serve, n, dir, scenario.HTTP1),
		f.listen(forHTTP2.Serve, n, dir, scenario.HTTP2),
		f.listen(forGRPC.Serve, n, dir, scenario.GRPC, scenario.GRPCStream),
	)
}

// listen serves protocols over TCP and, in a directory, over a unix socket.
func (f *Fleet) listen(serve func(net.Listener) error, n int, dir string, protocols ...string) error {
	overTCP, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.serve(serve, overTCP)
	for _, p := range protocols {
		f.Places.TCP[p] = append(f.Places.TCP[p], overTCP.Addr().String())
	}
	if dir == "" {
		return nil
	}
	socket := filepath.Join(dir, fmt.Sprintf("%s-%d.sock", protocols[0], n))
	overUnix, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	f.serve(serve, overUnix)
	for _, p := range protocols {
		f.Places.Unix[p] = append(f.Places.Unix[p], "unix:"+socket)
	}
	return nil
}

func (f *Fleet) serve(serve func(net.Listener) error, l net.Listener) {
	f.serving.Go(func() {
		if err := serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			select {
			case f.failed <- err:
			default: // another was first
			}
		}
	})
}

// Calls returns how many calls each instance has got.
func (f *Fleet) Calls() []int64 {
	calls := make([]int64, len(f.instances))
	for n, i := range f.instances {
		calls[n] = i.calls.Load()
	}
	return calls
}

// Close ends the instances at once, with all calls they have.
func (f *Fleet) Close() error {
	for _, c := range f.closers {
		c()
	}
	f.serving.Wait()
	if f.next.Close != nil {
		return f.next.Close()
	}
	return nil
}
