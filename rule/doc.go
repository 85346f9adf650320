// Package rule is governance as data: what an operator says of the calls to
// one service, in one document.
package rule
