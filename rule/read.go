package rule

import "github.com/fairlead-go/fairlead/internal/document"

// What follows is the form of the document once more, as it is read. A test
// holds it to that of the structs.

func (d *decoder) policy(n *document.Node, p *Policy) {
	d.object(n, "", map[string]reader{
		"apiVersion": d.intoText(&p.APIVersion),
		"kind":       d.intoText(&p.Kind),
		"metadata":   d.intoMetadata(&p.Metadata),
		"spec":       func(n *document.Node, field string) { d.spec(n, field, &p.Spec) },
	})
}

func (d *decoder) spec(n *document.Node, field string, s *Spec) {
	d.object(n, field, map[string]reader{
		"service": d.intoText(&s.Service),
		"subsets": each(d, &s.Subsets, d.subset),
		"routes":  each(d, &s.Routes, d.route),
		"filters": each(d, &s.Filters, d.filter),
		"lane": pointer(&s.Lane, func(n *document.Node, field string, l *Lane) {
			d.object(n, field, map[string]reader{
				"label": d.intoText(&l.Label),
				"key":   d.intoText(&l.Key),
				"force": d.intoBool(&l.Force),
			})
		}),
		"timeout": d.intoDuration(&s.Timeout),
		"retries": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{
				"maxAttempts": d.intoInt(&s.Retries.MaxAttempts),
				"budget": func(n *document.Node, field string) {
					d.object(n, field, map[string]reader{
						"ratio":        d.intoPercent(&s.Retries.Budget.Ratio),
						"minPerSecond": d.intoInt(&s.Retries.Budget.MinPerSecond),
					})
				},
			})
		},
		"loadBalancer": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{"algorithm": d.intoText(&s.LoadBalancer.Algorithm)})
		},
		"telemetry": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{"level": d.intoText(&s.Telemetry.Level)})
		},
	})
}

func (d *decoder) subset(n *document.Node, field string, s *Subset) {
	d.object(n, field, map[string]reader{
		"name":   d.intoText(&s.Name),
		"labels": named(d, &s.Labels, d.text),
	})
}

func (d *decoder) route(n *document.Node, field string, r *Route) {
	d.object(n, field, map[string]reader{
		"name":     d.intoText(&r.Name),
		"match":    each(d, &r.Match, d.match),
		"route":    each(d, &r.Route, d.destination),
		"hashOn":   d.intoText(&r.HashOn),
		"fallback": d.intoText(&r.Fallback),
		"strict":   d.intoBool(&r.Strict),
		"timeout":  d.intoDuration(&r.Timeout),
		"retries": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{"maxAttempts": d.intoInt(&r.Retries.MaxAttempts)})
		},
		"mirror": pointer(&r.Mirror, func(n *document.Node, field string, m *Mirror) {
			d.object(n, field, map[string]reader{
				"subset":  d.intoText(&m.Subset),
				"percent": d.intoPercent(&m.Percent),
			})
		}),
		"fault": pointer(&r.Fault, d.fault),
	})
}

func (d *decoder) fault(n *document.Node, field string, f *Fault) {
	d.object(n, field, map[string]reader{
		"delay": pointer(&f.Delay, func(n *document.Node, field string, y *Delay) {
			d.object(n, field, map[string]reader{
				"fixedDelay": d.intoDuration(&y.FixedDelay),
				"percent":    d.intoPercent(&y.Percent),
			})
		}),
		"abort": pointer(&f.Abort, func(n *document.Node, field string, a *Abort) {
			d.object(n, field, map[string]reader{
				"httpStatus": d.intoInt(&a.HTTPStatus),
				"grpcStatus": d.intoText(&a.GRPCStatus),
				"percent":    d.intoPercent(&a.Percent),
			})
		}),
	})
}

func (d *decoder) filter(n *document.Node, field string, f *Filter) {
	d.object(n, field, map[string]reader{
		"name":  d.intoText(&f.Name),
		"match": each(d, &f.Match, d.match),
		"keep":  named(d, &f.Keep, d.look),
		"drop":  named(d, &f.Drop, d.look),
		"force": d.intoBool(&f.Force),
	})
}

func (d *decoder) destination(n *document.Node, field string, o *Destination) {
	d.object(n, field, map[string]reader{
		"subset": d.intoText(&o.Subset),
		"weight": d.intoInt(&o.Weight),
	})
}

func (d *decoder) match(n *document.Node, field string, m *Match) {
	d.object(n, field, map[string]reader{
		"method":  d.intoText(&m.Method),
		"path":    pointer(&m.Path, d.look),
		"headers": named(d, &m.Headers, d.look),
		"query":   named(d, &m.Query, d.look),
		"caller":  pointer(&m.Caller, d.look),
		"baggage": named(d, &m.Baggage, d.look),
	})
}

func (d *decoder) look(n *document.Node, field string, t *Text) {
	d.object(n, field, map[string]reader{
		"exact":   d.intoText(&t.Exact),
		"prefix":  d.intoText(&t.Prefix),
		"regex":   d.intoText(&t.Regex),
		"present": d.intoBool(&t.Present),
	})
}

func (d *decoder) intoMetadata(to *Metadata) reader {
	return func(n *document.Node, field string) {
		d.object(n, field, map[string]reader{
			"name":   d.intoText(&to.Name),
			"labels": named(d, &to.Labels, d.text),
		})
	}
}

func (d *decoder) settings(n *document.Node, s *Settings) {
	d.object(n, "", map[string]reader{
		"apiVersion": d.intoText(&s.APIVersion),
		"kind":       d.intoText(&s.Kind),
		"metadata":   d.intoMetadata(&s.Metadata),
		"spec": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{
				"safeMode": d.intoBool(&s.Spec.SafeMode),
				"off":      each(d, &s.Spec.Off, d.text),
				"services": named(d, &s.Spec.Services, func(n *document.Node, field string, to *Switches) {
					d.object(n, field, map[string]reader{
						"safeMode": d.intoBool(&to.SafeMode),
						"off":      each(d, &to.Off, d.text),
					})
				}),
			})
		},
	})
}
