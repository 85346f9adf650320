package rule

import "github.com/fairlead-go/fairlead/internal/document"

func (d *decoder) route(n *document.Node, r *Route) {
	d.object(n, r, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &r.Name)
		case "match":
			each(d, v, &r.Match, (*decoder).match)
		case "route":
			each(d, v, &r.Route, (*decoder).destination)
		case "hashOn":
			d.text(v, &r.HashOn)
		case "fallback":
			d.text(v, &r.Fallback)
		case "strict":
			d.bool(v, &r.Strict)
		case "timeout":
			d.duration(v, &r.Timeout)
		case "retries":
			d.routeRetries(v, &r.Retries)
		case "idempotent":
			some(d, v, &r.Idempotent, (*decoder).bool)
		case "hedge":
			some(d, v, &r.Hedge, (*decoder).hedge)
		case "faultTolerance":
			d.text(v, &r.FaultTolerance)
		case "onFailure":
			some(d, v, &r.OnFailure, (*decoder).onFailure)
		case "priority":
			d.text(v, &r.Priority)
		case "mirror":
			some(d, v, &r.Mirror, (*decoder).mirror)
		case "fault":
			some(d, v, &r.Fault, (*decoder).fault)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) destination(n *document.Node, o *Destination) {
	d.object(n, o, func(name string, v *document.Node) bool {
		switch name {
		case "subset":
			d.text(v, &o.Subset)
		case "weight":
			d.int(v, &o.Weight)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) mirror(n *document.Node, m *Mirror) {
	d.object(n, m, func(name string, v *document.Node) bool {
		switch name {
		case "subset":
			d.text(v, &m.Subset)
		case "percent":
			d.percent(v, &m.Percent)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) fault(n *document.Node, f *Fault) {
	d.object(n, f, func(name string, v *document.Node) bool {
		switch name {
		case "delay":
			some(d, v, &f.Delay, (*decoder).delay)
		case "abort":
			some(d, v, &f.Abort, (*decoder).abort)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) delay(n *document.Node, y *Delay) {
	d.object(n, y, func(name string, v *document.Node) bool {
		switch name {
		case "fixedDelay":
			d.duration(v, &y.FixedDelay)
		case "percent":
			d.percent(v, &y.Percent)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) abort(n *document.Node, a *Abort) {
	d.object(n, a, func(name string, v *document.Node) bool {
		switch name {
		case "httpStatus":
			d.int(v, &a.HTTPStatus)
		case "grpcStatus":
			d.text(v, &a.GRPCStatus)
		case "percent":
			d.percent(v, &a.Percent)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) match(n *document.Node, m *Match) {
	d.object(n, m, func(name string, v *document.Node) bool {
		switch name {
		case "method":
			d.text(v, &m.Method)
		case "path":
			some(d, v, &m.Path, (*decoder).look)
		case "headers":
			named(d, v, &m.Headers, (*decoder).look)
		case "query":
			named(d, v, &m.Query, (*decoder).look)
		case "caller":
			some(d, v, &m.Caller, (*decoder).look)
		case "baggage":
			named(d, v, &m.Baggage, (*decoder).look)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) look(n *document.Node, t *Text) {
	d.object(n, t, func(name string, v *document.Node) bool {
		switch name {
		case "exact":
			d.text(v, &t.Exact)
		case "prefix":
			d.text(v, &t.Prefix)
		case "regex":
			d.text(v, &t.Regex)
		case "present":
			d.bool(v, &t.Present)
		default:
			return false
		}
		return true
	})
}
