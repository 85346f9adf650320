package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

// flip is a change of switches: of features, or of safe mode.
type flip struct {
	features []string
	safeMode bool
	off      bool // out of service they go; else they come back
}

// edit returns what stands with the change made for a service, or for all where
// that is empty; nil if nothing is left that would be worth to keep.
func (f flip) edit(stands etcd.RuleVersion, service string) (*rule.Settings, error) {
	d := rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind}
	if stands.Text != nil {
		var err error
		if d, err = rule.DecodeSettings(stands.Text); err != nil {
			return nil, errors.Join(fmt.Errorf("what stands there at revision %d is no valid document and cannot be edited; nothing was written. fairlead settings apply replaces it, delete takes it away", stands.Revision), err)
		}
	}
	before := idle(d)
	if service == "" {
		d.Spec.Switches = f.of(d.Spec.Switches)
	} else {
		now := f.of(d.Spec.Services[service])
		if d.Spec.Services == nil {
			d.Spec.Services = map[string]rule.Switches{}
		}
		d.Spec.Services[service] = now
		if !now.SafeMode && len(now.Off) == 0 {
			delete(d.Spec.Services, service)
		}
	}
	if idle(d) && (stands.Text == nil || !before) {
		return nil, nil
	}
	return &d, nil
}

func (f flip) of(w rule.Switches) rule.Switches {
	if f.safeMode {
		w.SafeMode = f.off
	}
	for _, name := range f.features {
		w.Off = slices.DeleteFunc(w.Off, func(n string) bool { return n == name && !f.off })
		if f.off && !slices.Contains(w.Off, name) {
			w.Off = append(w.Off, name)
		}
	}
	return w
}

// idle reports whether settings say nothing, not even to people.
func idle(d rule.Settings) bool {
	return !d.Spec.SafeMode && len(d.Spec.Off)+len(d.Spec.Services)+len(d.Metadata.Labels) == 0 && d.Metadata.Name == ""
}
