package discovery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

const live, stale, cold = discovery.Live, discovery.Stale, discovery.Cold

// ruleRow is a sentence of the rules: what members a and b say, and all that a
// watch of the composite then yields. It comes with a registry that gets that
// sentence wrong, to show that the row can fail.
type ruleRow struct {
	name   string
	script func(a, b *scripted)
	want   []string // as entry.told has it
	naive  naive
}

var preferRows = []ruleRow{
	{
		name:   "the first that has instances is used",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(live, nil, "y") },
		want:   []string{"live x@a"},
		naive:  merging(mistake{}),
	},
	{
		name:   "one that knows of none is passed over",
		script: func(a, b *scripted) { a.says(live, nil); b.says(live, nil, "y") },
		want:   []string{"live y@b"},
		naive:  preferring(func(l line) bool { return l.State != cold }),
	},
	{
		name: "a stale list with instances stays in use",
		script: func(a, b *scripted) {
			a.says(live, nil, "x")
			b.says(live, nil, "y")
			a.says(stale, errAway, "x")
		},
		want:  []string{"live x@a", "stale x@a: registry a: the registry is away"},
		naive: preferring(func(l line) bool { return hasInstances(l) && l.State == live }),
	},
	{
		name:   "a stale list without instances is passed over",
		script: func(a, b *scripted) { a.says(stale, errAway); b.says(live, nil, "y") },
		want:   []string{"live y@b"},
		naive:  preferring(func(l line) bool { return hasInstances(l) || l.State == stale }),
	},
	{
		name:   "one that never had a list is passed over when it is in trouble",
		script: func(a, b *scripted) { a.says(cold, errAway); b.says(live, nil, "y") },
		want:   []string{"live y@b"},
		naive:  preferring(func(l line) bool { return hasInstances(l) || l.State == cold }),
	},
	{
		name:   "a silent one is waited for",
		script: func(_, b *scripted) { b.says(live, nil, "y"); time.Sleep(discovery.DefaultPatience - 1) },
		want:   nil,
		naive:  preferring(hasInstances).waiting(0),
	},
	{
		name:   "a silent one is not waited for any longer",
		script: func(_, b *scripted) { b.says(live, nil, "y"); time.Sleep(discovery.DefaultPatience) },
		want:   []string{"live y@b"},
		naive:  preferring(hasInstances).waiting(2 * discovery.DefaultPatience),
	},
	{
		name: "a cold list without a word of trouble is silence",
		script: func(a, b *scripted) {
			a.says(cold, nil)
			b.says(live, nil, "y")
			a.says(live, nil, "x")
		},
		want:  []string{"live x@a"},
		naive: preferring(hasInstances),
	},
	{
		name: "one that speaks late is used",
		script: func(a, b *scripted) {
			b.says(live, nil, "y")
			time.Sleep(discovery.DefaultPatience)
			a.says(live, nil, "x")
		},
		want:  []string{"live y@b", "live x@a"},
		naive: sticking(),
	},
	{
		name: "one that has instances again is used again",
		script: func(a, b *scripted) {
			b.says(live, nil, "y")
			a.says(live, nil, "x")
			a.says(live, nil)
			a.says(live, nil, "x")
		},
		want:  []string{"live x@a", "live y@b", "live x@a"},
		naive: sticking(),
	},
	{
		name: "what those not in use say is not told",
		script: func(a, b *scripted) {
			a.says(live, nil, "x")
			b.says(live, nil, "y")
			b.says(live, nil, "y", "z")
			b.says(stale, errAway, "y", "z")
		},
		want:  []string{"live x@a"},
		naive: preferring(hasInstances).telling(),
	},
	{
		name:   "no instances is knowledge if all say so",
		script: func(a, b *scripted) { a.says(live, nil); b.says(live, nil) },
		want:   []string{"live"},
		naive:  merging(mistake{state: func([]line) discovery.State { return cold }}),
	},
	{
		name:   "no instances is no knowledge while one cannot be heard",
		script: func(a, b *scripted) { a.says(cold, errAway); b.says(live, nil) },
		want:   []string{"stale: registry a: the registry is away"},
		naive:  preferring(func(l line) bool { return l.State == live }),
	},
	{
		name:   "no instances is no knowledge while one is silent",
		script: func(_, b *scripted) { b.says(live, nil); time.Sleep(discovery.DefaultPatience) },
		want:   []string{"stale: registry a: it has said nothing yet"},
		naive:  preferring(func(l line) bool { return l.State == live }),
	},
	{
		name:   "nobody ever had a list",
		script: func(a, b *scripted) { a.says(cold, errAway); b.says(cold, errLost) },
		want:   []string{"cold: registry a: the registry is away\nregistry b: the registry is lost"},
		naive:  preferring(func(l line) bool { return l.State == cold }),
	},
	{
		name:   "all are silent",
		script: func(_, _ *scripted) { time.Sleep(time.Hour) },
		want:   nil,
		naive:  preferring(hasInstances),
	},
	{
		name:   "one whose watch ended stays in use with what it said last",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(live, nil, "y"); a.ends() },
		want:   []string{"live x@a", "stale x@a: registry a: the watch has ended"},
		naive:  preferring(hasInstances),
	},
	{
		name:   "what was refused of those passed over is told",
		script: func(a, b *scripted) { a.refuses(2); b.says(live, nil, "y") },
		want:   []string{"live y@b, 2 refused: a: key0 a: key1"},
		naive:  preferring(hasInstances),
	},
}

var mergeRows = []ruleRow{
	{
		name:   "the instances of all",
		script: func(a, b *scripted) { a.says(live, nil, "y"); b.says(live, nil, "x", "z") },
		want:   []string{"live x@b y@a z@b"},
		naive:  preferring(hasInstances),
	},
	{
		name:   "of one instance the record of the earlier counts",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(live, nil, "x") },
		want:   []string{"live x@a"},
		naive:  merging(mistake{later: true}),
	},
	{
		name: "the same ID elsewhere is the same instance",
		script: func(a, b *scripted) {
			b.has("x").Addr = "192.0.2.99:1"
			a.says(live, nil, "x")
			b.says(live, nil, "x")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{same: func(i, k *discovery.Instance) bool { return i.Addr == k.Addr }}),
	},
	{
		name: "another ID at the same address is the same instance",
		script: func(a, b *scripted) {
			b.has("y").Addr = a.has("x").Addr
			a.says(live, nil, "x")
			b.says(live, nil, "y")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{same: sameID}),
	},
	{
		name: "the same address may be spelled otherwise",
		script: func(a, b *scripted) {
			a.has("x").Addr, b.has("y").Addr = "[2001:db8::7]:80", "[2001:0DB8:0:0::7]:80"
			a.says(live, nil, "x")
			b.says(live, nil, "y")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{same: func(i, k *discovery.Instance) bool { return i.Addr == k.Addr }}),
	},
	{
		name: "an IPv4 address may be written as IPv6",
		script: func(a, b *scripted) {
			a.has("x").Addr, b.has("y").Addr = "192.0.2.99:1", "[::ffff:192.0.2.99]:1"
			a.says(live, nil, "x")
			b.says(live, nil, "y")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{}), // compares what netip parses
	},
	{
		name: "one address in common is enough",
		script: func(a, b *scripted) {
			a.has("x").Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "192.0.2.99:1"}, {Protocol: discovery.GRPC, Addr: a.has("x").Addr}}
			b.has("y").Addr = "192.0.2.99:1"
			a.says(live, nil, "x")
			b.says(live, nil, "y")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{same: func(i, k *discovery.Instance) bool { return i.Addr == k.Addr }}),
	},
	{
		name: "a unix socket in common is not",
		script: func(a, b *scripted) {
			socket := []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "unix:/run/orders.sock"}}
			a.has("x").Endpoints, b.has("y").Endpoints = socket, socket
			a.says(live, nil, "x")
			b.says(live, nil, "y")
		},
		want:  []string{"live x@a y@b"},
		naive: merging(mistake{same: func(i, k *discovery.Instance) bool { return slices.Equal(i.Endpoints, k.Endpoints) }}),
	},
	{
		name: "what one member takes for two instances is two",
		script: func(a, b *scripted) {
			a.has("x").Addr = a.has("y").Addr
			a.says(live, nil, "x", "y")
			b.says(live, nil)
		},
		want:  []string{"live x@a y@a"},
		naive: merging(mistake{throughout: true}),
	},
	{
		name: "the record of the later counts when the earlier has none any more",
		script: func(a, b *scripted) {
			a.says(live, nil, "x")
			b.says(live, nil, "x")
			a.says(live, nil)
		},
		want:  []string{"live x@a", "live x@b"},
		naive: preferring(func(l line) bool { return l.heard }),
	},
	{
		name: "what makes no difference is not told",
		script: func(a, b *scripted) {
			a.says(live, nil, "x")
			b.says(live, nil)
			b.says(live, nil, "x")
		},
		want:  []string{"live x@a"},
		naive: merging(mistake{}).telling(),
	},
	{
		name:   "one that is stale makes the whole stale",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(stale, errAway, "y") },
		want:   []string{"stale x@a y@b: registry b: the registry is away"},
		naive:  merging(mistake{state: best}),
	},
	{
		name:   "one that never had a list makes the whole stale",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(cold, errAway) },
		want:   []string{"stale x@a: registry b: the registry is away"},
		naive:  merging(mistake{state: worst}),
	},
	{
		name:   "everybody in trouble is named",
		script: func(a, b *scripted) { a.says(stale, errLost, "x"); b.says(cold, errAway) },
		want:   []string{"stale x@a: registry a: the registry is lost\nregistry b: the registry is away"},
		naive:  merging(mistake{err: func(all []line) error { return all[0].named() }}),
	},
	{
		name:   "trouble is named",
		script: func(a, b *scripted) { a.says(stale, errLost, "x"); b.says(live, nil) },
		want:   []string{"stale x@a: registry a: the registry is lost"},
		naive:  merging(mistake{err: func(all []line) error { return all[0].err }}),
	},
	{
		name:   "nobody ever had a list",
		script: func(a, b *scripted) { a.says(cold, errAway); b.says(cold, errLost) },
		want:   []string{"cold: registry a: the registry is away\nregistry b: the registry is lost"},
		naive:  merging(mistake{state: func([]line) discovery.State { return stale }}),
	},
	{
		name: "the whole is live when all are again",
		script: func(a, b *scripted) {
			a.says(live, nil, "x")
			b.says(cold, errAway)
			b.says(live, nil, "y")
		},
		want:  []string{"stale x@a: registry b: the registry is away", "live x@a y@b"},
		naive: merging(mistake{state: func([]line) discovery.State { return stale }}),
	},
	{
		name:   "a silent one is waited for",
		script: func(a, _ *scripted) { a.says(live, nil, "x"); time.Sleep(discovery.DefaultPatience - 1) },
		want:   nil,
		naive:  merging(mistake{}).waiting(0),
	},
	{
		name:   "a silent one is not waited for any longer",
		script: func(a, _ *scripted) { a.says(live, nil, "x"); time.Sleep(discovery.DefaultPatience) },
		want:   []string{"stale x@a: registry b: it has said nothing yet"},
		naive:  merging(mistake{}).waiting(2 * discovery.DefaultPatience),
	},
	{
		name:   "all are silent",
		script: func(_, _ *scripted) { time.Sleep(time.Hour) },
		want:   nil,
		naive:  merging(mistake{}),
	},
	{
		name:   "one whose watch ended makes the whole stale",
		script: func(a, b *scripted) { a.says(live, nil, "x"); b.says(live, nil, "y"); b.ends() },
		want:   []string{"live x@a y@b", "stale x@a y@b: registry b: the watch has ended"},
		naive:  merging(mistake{}),
	},
	{
		name:   "what was refused is added up",
		script: func(a, b *scripted) { a.refuses(2); b.refuses(7) },
		want:   []string{"live, 9 refused: a: key0 a: key1 b: key0 b: key1 b: key2 b: key3 b: key4 b: key5"},
		naive:  merging(mistake{refusals: func(all []line) int { return all[0].Refused }}),
	},
}

func TestPreferKeepsItsRules(t *testing.T) { testRules(t, discovery.Prefer, preferRows) }

func TestMergeKeepsItsRules(t *testing.T) { testRules(t, discovery.Merge, mergeRows) }

func testRules(t *testing.T, rule discovery.Rule, rows []ruleRow) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := row.play(t, func(t *testing.T, a, b *scripted) discovery.Registry { return composite(t, rule, a, b) })
			if !slices.Equal(got, row.want) {
				t.Errorf("yields\n%q, want\n%q", got, row.want)
			}
			wrong := row.play(t, func(_ *testing.T, a, b *scripted) discovery.Registry {
				n := row.naive
				n.members = []*scripted{a, b}
				return n
			})
			if slices.Equal(wrong, row.want) {
				t.Error("a naive registry yields the same: nothing shows that this row can fail")
			}
		})
	}
}

// play returns what a watch yields in the course of the script.
func (row ruleRow) play(t *testing.T, open func(t *testing.T, a, b *scripted) discovery.Registry) (told []string) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScripted("a"), newScripted("b")
		j := follow(t.Context(), open(t, a, b), "orders")
		row.script(a, b)
		yields, _ := j.take()
		for _, y := range yields {
			told = append(told, y.told())
		}
	})
	return told
}

// told is the state, the instances and whose records they are, the refusals
// and the error.
func (e entry) told() string {
	var b strings.Builder
	b.WriteString(e.State.String())
	for _, i := range e.Instances {
		b.WriteString(" " + i.ID + "@" + i.Version)
	}
	if e.Refused > 0 {
		fmt.Fprintf(&b, ", %d refused:", e.Refused)
		for _, r := range e.Refusals {
			b.WriteString(" " + r.Key)
		}
	}
	if e.err != nil {
		b.WriteString(": " + e.err.Error())
	}
	return b.String()
}
