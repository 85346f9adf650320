package deadline

import "context"

// WithValues returns a context that ends as ctx does, and in which what values holds
// comes first. One of package context that holds a value hides the AfterFunc of ctx:
// whatever a transport derives from it is then a goroutine for the time of the call.
func WithValues(ctx, values context.Context) context.Context { return &valued{ctx, values} }

// Unhidden returns a context that others have derived from ctx to hold a value, with
// the AfterFunc of ctx, where that has one.
func Unhidden(derived, ctx context.Context) context.Context {
	if _, ok := ctx.(follower); ok {
		return WithValues(ctx, derived)
	}
	return derived
}

// follower is what package context asks for.
type follower interface {
	AfterFunc(f func()) (stop func() bool)
}

type valued struct {
	context.Context
	values context.Context
}

// Value implements [context.Context].
func (v *valued) Value(key any) any {
	if is := v.values.Value(key); is != nil {
		return is
	}
	return v.Context.Value(key)
}

// AfterFunc is what ctx has, or what package context would do. It asks for it only
// where ctx is none of its own.
func (v *valued) AfterFunc(f func()) (stop func() bool) {
	if own, ok := v.Context.(follower); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(v.Context, f)
}
