// Package retry decides whether a failed attempt is made again, and whether one that
// has no answer yet is made twice.
//
// Of a retry three questions are answered apart from each other: may it be made at
// all ([Policy.Allows]), may it be afforded ([Budget.Withdraw]), and how long to wait
// before ([Policy.Wait]). [Policy.Next] puts them together. Of a hedge there are three
// as well: when it is due ([Hedge.Delay], by the [Latencies] of the method), whether it
// would help, and whether it may be afforded (both [Hedge.Withdraw]). [Least] tells
// which calls are not worth sending at all.
//
// All these take the time and the random bits they need as arguments and know no
// protocol. [Do] is for those who have an error and a context instead, and need
// nothing else of this module.
package retry
