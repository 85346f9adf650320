package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What a server answers: all, or what is left when it has a lot to do.
const (
	full  = "an order, and what others bought"
	short = "an order"
)

// business works on a few calls at a time, and the others wait for as long as it
// takes. It does not see who has gone away meanwhile, as with a query that was sent
// to a database.
type business struct {
	workers   chan struct{}
	inHand    atomic.Int64
	admission *transport.Admission // nil: all calls are taken on
}

func (b *business) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	b.inHand.Add(1)
	defer b.inHand.Add(-1)
	b.workers <- struct{}{}
	time.Sleep(serviceTime)
	<-b.workers
	answer := full
	if b.pressure() > 0.9 { // so much for what is optional
		answer = short
	}
	io.WriteString(out, answer)
}

func (b *business) pressure() float64 {
	if b.admission == nil {
		return 0
	}
	return b.admission.Pressure().Level
}

// serve runs a server.
func (s spec) serve(t *teller) error {
	go orphaned()
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: []string{s.Etcd}}, TTL: leaseTTL})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	b := &business{workers: make(chan struct{}, workers)}
	var handler http.Handler = b
	if s.Limits { // this is all that a server has to change
		if b.admission, err = mesh.Admission(service, transport.AdmissionConfig{}); err != nil {
			return err
		}
		handler = fairhttp.Handler(handler, fairhttp.Admit(b.admission), fairhttp.TrustPriority(), fairhttp.TrustTimeout())
	}
	go func() { // ends with the process
		for range time.Tick(time.Second / 10) {
			t.tell(word{InHand: int(b.inHand.Load()), Pressure: b.pressure()})
		}
	}()
	return fairhttp.Serve(context.Background(), mesh, &http.Server{Addr: "127.0.0.1:0", Handler: handler}, discovery.Instance{Service: service, ID: s.ID})
}
