package discovery

import (
	"context"
	"errors"
	"iter"
	"time"
)

// File is a [Registry] and a [Registrar] over the files of one host: for
// development, for tests across processes, for machines without a network and
// for lists written by hand.
//
//	<dir>/<service>/<name>.json
//
// holds one instance or an array of instances, in the JSON form of [Instance].
// Service may be left out, Weight and ID as well: the ID is then the address as
// in [Addrs]. Other names, and those that begin with a dot, are passed over.
// What a person wrote does not expire. A registration writes a file of its own
// and renews its modification time every quarter of the TTL; the record says
// its "ttl", and readers pass over it when it was not renewed for that long. So
// a killed process disappears, and a shell script can register with touch.
// Of several registered instances at one address only the youngest is there.
//
// Content is checked as that of any registry is. A malformed file keeps what it
// said before and counts as refused; a malformed instance of an array is
// refused alone. Links that lead out of the service's directory are refused. A
// service without a directory has no instances, but if Dir itself cannot be
// read nothing is known: the last good list stays, as Stale, until it can.
//
// A registration is proved as it is in a remote registry: the file is read
// back, at once and with every renewal, and written anew where somebody has
// removed or changed it. A file that another registration has taken over is
// never removed.
//
// A File is safe for concurrent use. Nothing runs before the first Watch or
// Register; from then on there is one goroutine per watched service, and one
// for all registrations.
type File struct {
	config     FileConfig // normalized
	poller     *poller
	supervisor *fileSupervisor
}

// NewFile returns a registry over the files of a directory. It does not look
// at it yet. The error is a [*FieldError], or that of a working directory that
// a relative Dir cannot be found from.
func NewFile(config FileConfig) (*File, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config, err := config.normalize()
	if err != nil {
		return nil, err
	}
	return &File{
		config: config,
		poller: newPoller(config.Interval, config.Logger, func(service string) look {
			return newDirectory(config.Dir, service, config.Logger).look
		}),
		supervisor: newFileSupervisor(config.Dir, config.TTL, config.Logger),
	}, nil
}

// Watch implements [Registry]. All watches of a service share one goroutine,
// which begins with the first of them and ends with the last.
func (f *File) Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	if err := ValidateService(service); err != nil {
		return refuse(service, err)
	}
	return f.poller.watch(ctx, service)
}

// Register implements [Registrar]. An ID that the service already has in this
// File is refused with a [*FieldError], and so is an instance whose record is
// larger than 8 KiB.
func (f *File) Register(_ context.Context, instance Instance) (Registration, error) {
	instance = instance.Normalize(time.Now())
	if err := instance.Validate(); err != nil {
		return nil, err
	}
	r, err := f.supervisor.add(instance)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Refresh makes the list of a watched service as fresh as can be: it looks at
// once, and returns when watchers have been given what that brought, if it is
// news. The error says why it brought nothing, or that ctx is done. It is for a
// process that slept and cannot know how long ago the last look was.
func (f *File) Refresh(ctx context.Context, service string) error {
	return f.poller.refresh(ctx, service)
}

// Close withdraws all registrations, ends all watches with [ErrClosed] and
// waits, at most for ctx, until nothing runs any more. The error says which
// files could not be removed; they expire. It can be called again.
func (f *File) Close(ctx context.Context) error {
	return errors.Join(f.supervisor.close(ctx), f.poller.close(ctx))
}

// Local says that what this registry tells comes from this host alone, so that
// a loopback address in it means this host.
func (f *File) Local() bool { return true }

// State tells people and debug dumps what is known of each watched service and
// each registration. It marshals to JSON, which may grow.
func (f *File) State() any {
	return fileState{Dir: f.config.Dir, Watches: f.poller.state(), Registrations: f.supervisor.state()}
}

type fileState struct {
	Dir           string              `json:"dir"`
	Watches       []watchState        `json:"watches"`
	Registrations []RegistrationState `json:"registrations"`
}
