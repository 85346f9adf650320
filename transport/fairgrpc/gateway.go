package fairgrpc

import "google.golang.org/grpc"

// forService is the metadata of a call that was sent to another service in place of
// its own, as to a gateway: it names the one that it is for.
const forService = "fairlead-service"

// WithGateway gives the clients of these options the channel to a service of
// gateways, made with options of the same mesh: grpc.NewClient("mesh:///edge",
// fairgrpc.DialOptions(mesh)...). Calls go through it where rules or code say so,
// see [transport.WithGateway]; the metadata fairlead-service tells the gateway for
// whom they are. The channel stays the caller's to close.
func WithGateway(channel *grpc.ClientConn) Option {
	return func(d *door) { d.gateways = append(d.gateways, channel) }
}

// gateway returns the channel to a service, if there is one.
func (d *door) gateway(service string) (*grpc.ClientConn, error) {
	for _, channel := range d.gateways {
		if name, ours := serviceOf(channel.Target()); ours && name == service {
			return channel, nil
		}
	}
	return nil, errNoRedirect
}

// Redirect implements [transport.Redirector].
func (u *unary) Redirect(service string) error {
	channel, err := u.door.gateway(service)
	if err == nil {
		u.cc, u.call.Service = channel, service
	}
	return err
}

// Redirect implements [transport.Redirector].
func (s *streaming) Redirect(service string) error {
	channel, err := s.door.gateway(service)
	if err == nil {
		s.cc, s.call.Service = channel, service
	}
	return err
}
