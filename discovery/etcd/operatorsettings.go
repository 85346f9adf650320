package etcd

import (
	"context"

	"github.com/fairlead-go/fairlead/rule"
)

// Settings is Rules for the settings of all services.
func (o *Operator) Settings(ctx context.Context) (RuleVersion, error) {
	r, err := o.standing(ctx, o.settings())
	return r.stands, err
}

// SettingsHistory is History for the settings.
func (o *Operator) SettingsHistory(ctx context.Context) ([]RuleVersion, error) {
	return o.kept(ctx, o.settings())
}

// PutSettings is PutRules for the settings.
func (o *Operator) PutSettings(ctx context.Context, s rule.Settings, read int64, note Note) (now, before RuleVersion, err error) {
	text, err := encoded(s, rule.DecodeSettings)
	if err != nil {
		return now, before, err
	}
	return o.write(ctx, o.settings(), text, read, note)
}

// DeleteSettings is DeleteRules for the settings.
func (o *Operator) DeleteSettings(ctx context.Context, read int64, note Note) (now, before RuleVersion, err error) {
	return o.write(ctx, o.settings(), nil, read, note)
}

func (o *Operator) settings() place {
	return place{"the settings", o.keys.settings(), everywhere, again(rule.DecodeSettings)}
}
