package deadline

import "context"

// WithValues returns a context that ends as ctx does, and in which what values holds
// comes first. A context of package context that holds a value hides what ctx knows of
// AfterFunc, so that whatever is derived from it would be a goroutine.
func WithValues(ctx, values context.Context) context.Context { return &valued{ctx, values} }

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
	if own, ok := v.Context.(interface {
		AfterFunc(f func()) (stop func() bool)
	}); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(v.Context, f)
}
