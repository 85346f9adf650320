// Package rule is governance as data: what an operator says of the calls to
// one service, in one document, a [Policy].
//
// [Decode] reads a document strictly: what it does not know is an error, and
// all that is wrong is said at once, each with its line, the field, the value
// and what is allowed. Editors complete and check a document in YAML that begins with
//
//	# yaml-language-server: $schema=https://raw.githubusercontent.com/fairlead-go/fairlead/main/rule/schema/servicepolicy.v1alpha1.json
package rule

//go:generate go run ../internal/schemagen
