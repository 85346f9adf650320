// Package retry decides whether a failed attempt is made again.
//
// Three questions are answered apart from each other: may it be made again at
// all ([Policy.Allows]), may it be afforded ([Budget.Withdraw]), and how long to
// wait before ([Policy.Wait]). [Policy.Next] puts them together. All take the time
// and the random bits they need as arguments and know no protocol.
package retry
