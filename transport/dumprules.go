package transport

import "github.com/fairlead-go/fairlead/rule"

// RulesDump is what is in force of the rules of a service.
type RulesDump struct {
	// Revision is that of the document in force and Origin where it came from;
	// 0 and empty: there is none, and what code set holds.
	Revision int64  `json:"revision"`
	Origin   string `json:"origin,omitempty"`
	// Live says that the source vouches for that now. Trouble is its last
	// complaint.
	Live    bool   `json:"live"`
	Trouble string `json:"trouble,omitempty"`
	// Refused says why the document of RefusedRevision is not in force. Refusals
	// counts all that were not.
	Refused         string `json:"refused,omitempty"`
	RefusedRevision int64  `json:"refusedRevision,omitempty"`
	RefusedOrigin   string `json:"refusedOrigin,omitempty"`
	Refusals        int64  `json:"refusals,omitempty"`
	// Policy is what is in force, once the settings have taken out what is
	// switched off; nil: what code set.
	Policy *rule.Policy `json:"policy,omitempty"`
	// Unheeded is what of it this process cannot do, and why.
	Unheeded []string `json:"unheeded,omitempty"`
	// Delayed and Aborted count what faults did, Mirrored the copies that were
	// sent and Unmirrored those that were due and were not.
	Delayed    int64 `json:"delayed,omitempty"`
	Aborted    int64 `json:"aborted,omitempty"`
	Mirrored   int64 `json:"mirrored,omitempty"`
	Unmirrored int64 `json:"unmirrored,omitempty"`
}

func (s *service) dumpRules() *RulesDump {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mesh.hasRules() && s.ruling.table == nil {
		return nil
	}
	r, c := &s.ruling, &s.counts
	d := &RulesDump{
		Revision: r.standing.Revision, Origin: r.standing.Origin, Live: r.standing.Live,
		RefusedRevision: r.standing.RefusedRevision, RefusedOrigin: r.standing.RefusedOrigin, Refusals: r.refusals,
		Unheeded: r.unheeded,
		Delayed:  c.delayed.Load(), Aborted: c.aborted.Load(), Mirrored: c.mirrored.Load(), Unmirrored: c.unmirrored.Load(),
	}
	if r.standing.Refused != nil {
		d.Refused = r.standing.Refused.Error()
	}
	if r.trouble != nil {
		d.Trouble = r.trouble.Error()
	}
	if r.table != nil {
		d.Policy = &r.table.Policy
	}
	return d
}

// SettingsDump are the settings in force.
type SettingsDump struct {
	Revision int64  `json:"revision"` // 0: there are none
	Live     bool   `json:"live"`
	Trouble  string `json:"trouble,omitempty"`
	// Refused says why those of RefusedRevision are not in force. Refusals
	// counts all that were not.
	Refused         string            `json:"refused,omitempty"`
	RefusedRevision int64             `json:"refusedRevision,omitempty"`
	Refusals        int64             `json:"refusals,omitempty"`
	Spec            rule.SettingsSpec `json:"spec"`
}

func (w *switched) dump() *SettingsDump {
	d := &SettingsDump{Revision: w.revision, Live: w.live, Spec: w.settings.Spec, RefusedRevision: w.refusedRevision, Refusals: w.refusals}
	if w.refused != nil {
		d.Refused = w.refused.Error()
	}
	if w.trouble != nil {
		d.Trouble = w.trouble.Error()
	}
	return d
}
