// Package breaker stops calls to what fails, and lets a few find out whether it
// works again.
//
// A breaker is closed as long as calls succeed. When too many of the last ones
// failed, failed in a row, or were slow ([Config] says how many are), it opens: for
// a while it rejects all calls, which spares the callers the wait and what they
// call the load. After that it is half-open and lets a few through. If they
// succeed it closes, and if one fails or is slow it opens again. The pattern is
// Nygard's ("Release It!", 2007).
//
//	b, err := breaker.New("orders", breaker.Config{})
//	…
//	order, err := breaker.Do(b, func() (Order, error) { return fetch(ctx, id) })
//
// Who cannot put a call into a function, as with streams, takes the two steps
// apart: [Breaker.Allow], and [Ticket.Done] when the call has ended. The package
// needs nothing else of fairlead.
//
// # What it stands on
//
// States, generations and the places of the half-open state are those of
// github.com/sony/gobreaker/v2, the v2 path, in its two-step form. Ours on top:
//
//   - Probes expire. One that hangs gives its place to the next caller after
//     ProbeTimeout, where gobreaker would reject all others for ever.
//   - Calls count when they end, in a window of our own. gobreaker files them under
//     their beginning, so those that take longer than its window are never seen.
//     Failures in a row are counted across windows.
//   - Slow calls, as in resilience4j.
//   - Cancellations and rejections are neutral: neither success nor failure.
//   - To look at a breaker changes nothing, and neither does the end of a call that
//     began in another state: only a call that asks turns an open one half-open.
//   - [OnChange] is called outside of all locks.
//   - An operator may force it open, disable it, or have it only observe; see [Mode].
//   - A rejection takes no lock while OpenFor lasts, and allocates nothing.
//
// gobreaker drops the results of calls that began before the last change of state,
// and so do we: what was sent before it opened does not say whether it may close.
//
// All times are taken from the monotonic clock: a wall clock that is set, or leaps,
// neither opens nor closes anything. Only [Change] has the time of day.
package breaker
