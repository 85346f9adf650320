package etcd

import (
	"context"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// Rules reads the rules of a service. The zero value says that there are none.
func (o *Operator) Rules(ctx context.Context, service string) (RuleVersion, error) {
	d, err := o.rulesOf(service)
	if err != nil {
		return RuleVersion{}, err
	}
	r, err := o.standing(ctx, d)
	return r.stands, err
}

// History reads the versions that are kept of the rules of a service, the
// newest first.
func (o *Operator) History(ctx context.Context, service string) ([]RuleVersion, error) {
	d, err := o.rulesOf(service)
	if err != nil {
		return nil, err
	}
	return o.kept(ctx, d)
}

// PutRules makes p the rules of its service, in the place of those that were
// read at a revision; 0: there were none. Of the versions the last
// [KeptVersions] are kept. It returns what stands now and what stood before: if
// that was a valid document, it has a number, whoever wrote it. A policy that
// clients would refuse is refused with [rule.Problems].
func (o *Operator) PutRules(ctx context.Context, p rule.Policy, read int64, note Note) (now, before RuleVersion, err error) {
	text, err := encoded(p, rule.Decode)
	if err != nil {
		return now, before, err
	}
	d, err := o.rulesOf(p.Spec.Service)
	if err != nil {
		return now, before, err
	}
	return o.write(ctx, d, text, read, note)
}

// DeleteRules takes back the rules of a service that were read at a revision.
// It is otherwise as PutRules. Where there are none it writes nothing.
func (o *Operator) DeleteRules(ctx context.Context, service string, read int64, note Note) (now, before RuleVersion, err error) {
	d, err := o.rulesOf(service)
	if err != nil {
		return now, before, err
	}
	return o.write(ctx, d, nil, read, note)
}

func (o *Operator) rulesOf(service string) (place, error) {
	return place{"the rules of " + service, o.keys.rule(service), service, again(rule.Decode)}, discovery.ValidateService(service)
}
