package discovery

import (
	"os"
	"path"
	"strings"
	"sync"
)

// BootID returns the kernel's id of this boot, or "" where there is none
// (outside Linux). Two processes with the same id run under the same kernel,
// so that one can open the other's unix socket.
var BootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// Reach says how this process may reach instances. The zero value uses ip:port
// endpoints only.
type Reach struct {
	// UnixDir allows unix endpoints whose socket lies below it, for instances
	// of this very boot of this host. They are then preferred. Empty: none.
	UnixDir string
}

// Validate reports a bad field as a [*FieldError].
func (r Reach) Validate() error {
	if r.UnixDir != "" && (!path.IsAbs(r.UnixDir) || path.Clean(r.UnixDir) != r.UnixDir) {
		return &FieldError{Field: "Reach.UnixDir", Value: r.UnixDir, Allowed: "empty or a clean absolute path"}
	}
	return nil
}

// Endpoint returns the address at which instance i speaks protocol p, in the
// form of [Endpoint].Addr; ok is false where it has none. Ignored counts the
// unix endpoints passed over because they are not allowed.
func (r Reach) Endpoint(i *Instance, p Protocol) (addr string, ignored int, ok bool) {
	if len(i.Endpoints) == 0 {
		return i.Addr, 0, i.Addr != ""
	}
	for _, e := range i.Endpoints {
		if e.Protocol != p {
			continue
		}
		socket, unix := e.Unix()
		switch {
		case unix && r.allows(socket, i.BootID):
			return e.Addr, ignored, true
		case unix:
			ignored++
		case addr == "":
			addr = e.Addr
		}
	}
	return addr, ignored, addr != ""
}

func (r Reach) allows(socket, bootID string) bool {
	return r.UnixDir != "" && bootID != "" && bootID == BootID() &&
		path.Clean(socket) == socket && strings.HasPrefix(socket, strings.TrimSuffix(r.UnixDir, "/")+"/")
}
