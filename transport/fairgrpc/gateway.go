package fairgrpc

import (
	"google.golang.org/grpc"
)

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
func (u *unary) Redirect(service string) (err error) {
	if u.cc, err = redirected(u.door, u.cc, service); err == nil {
		u.call.Service = service
	}
	return err
}

// Redirect implements [transport.Redirector].
func (s *streaming) Redirect(service string) (err error) {
	if s.cc, err = redirected(s.door, s.cc, service); err == nil {
		s.call.Service = service
	}
	return err
}

// redirected returns the channel to a service, and else the one at hand with the
// reason.
func redirected(d *door, at *grpc.ClientConn, service string) (*grpc.ClientConn, error) {
	to, err := d.gateway(service)
	if err != nil {
		return at, err
	}
	return to, nil
}
