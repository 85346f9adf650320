package fairgrpc

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// method is what the proto file says of a method; nothing is known of one that
// is not linked into the program.
type method struct {
	idempotent bool
	stream     bool
}

// methods remembers what was read from descriptors. It is bounded by the
// methods linked into the program, since others are not kept.
type methods struct {
	known atomic.Pointer[map[string]method] // by full name, copied on write
	mu    sync.Mutex                        // guards writing known
}

// of returns what is known of a method such as "/orders.Orders/Get".
func (m *methods) of(name string) method {
	if known := m.known.Load(); known != nil {
		if is, ok := (*known)[name]; ok {
			return is
		}
	}
	is, ok := describe(name)
	if ok {
		m.keep(name, is)
	}
	return is
}

func (m *methods) keep(name string, is method) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]method{name: is}
	if known := m.known.Load(); known != nil {
		maps.Copy(next, *known)
	}
	m.known.Store(&next)
}

func describe(name string) (is method, ok bool) {
	service, short, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return method{}, false
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return method{}, false
	}
	found := s.Methods().ByName(protoreflect.Name(short))
	if found == nil {
		return method{}, false
	}
	options, _ := found.Options().(*descriptorpb.MethodOptions)
	return method{
		idempotent: options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN,
		stream:     found.IsStreamingClient() || found.IsStreamingServer(),
	}, true
}
