// Package rule is governance as data: what an operator says of the calls to
// one service, in one document, a [Policy].
//
// [Decode] reads a document strictly: what it does not know is an error, and
// all that is wrong is said at once, each with its line, the field, the value
// and what is allowed.
package rule
