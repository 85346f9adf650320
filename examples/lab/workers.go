package main

import (
	"slices"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// employ gives each instance of all scenarios so many workers. The load is then of
// what these can do.
func (o *options) employ(workers int) {
	for i := range o.scenarios {
		o.scenarios[i].Change(func(p *sim.Plan) {
			p.Fleet = slices.Clone(p.Fleet)
			for k := range p.Fleet {
				p.Fleet[k].Workers = workers
			}
		})
	}
}
