package rule

import "github.com/fairlead-go/fairlead/internal/document"

// What follows is the form of the document once more, as it is read. A test
// holds it to that of the structs.

func (d *decoder) policy(n *document.Node, p *Policy) {
	d.object(n, "", map[string]reader{
		"apiVersion": d.intoText(&p.APIVersion),
		"kind":       d.intoText(&p.Kind),
		"metadata": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{
				"name":   d.intoText(&p.Metadata.Name),
				"labels": named(d, &p.Metadata.Labels, d.text),
			})
		},
		"spec": func(n *document.Node, field string) { d.spec(n, field, &p.Spec) },
	})
}

func (d *decoder) spec(n *document.Node, field string, s *Spec) {
	d.object(n, field, map[string]reader{
		"service": d.intoText(&s.Service),
		"subsets": each(d, &s.Subsets, d.subset),
		"routes":  each(d, &s.Routes, d.route),
		"timeout": d.intoDuration(&s.Timeout),
		"retries": func(n *document.Node, field string) {
			d.object(n, field, map[string]reader{
				"maxAttempts": d.intoInt(&s.Retries.MaxAttempts),
				"budget": func(n *document.Node, field string) {
					d.object(n, field, map[string]reader{
						"ratio":        d.intoValue(&s.Retries.Budget.Ratio, `a percentage such as "20%" or "0.5%"`),
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
		"path":    d.intoLook(&m.Path),
		"headers": named(d, &m.Headers, d.look),
		"query":   named(d, &m.Query, d.look),
		"caller":  d.intoLook(&m.Caller),
		"baggage": named(d, &m.Baggage, d.look),
	})
}

func (d *decoder) intoLook(to **Text) reader {
	return func(n *document.Node, field string) {
		*to = new(Text)
		d.look(n, field, *to)
	}
}

func (d *decoder) look(n *document.Node, field string, t *Text) {
	d.object(n, field, map[string]reader{
		"exact":   d.intoText(&t.Exact),
		"prefix":  d.intoText(&t.Prefix),
		"regex":   d.intoText(&t.Regex),
		"present": d.intoBool(&t.Present),
	})
}
