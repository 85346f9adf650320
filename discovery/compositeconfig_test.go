package discovery_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestCompositeConfigIsRefused(t *testing.T) {
	m := new(discovery.Memory)
	open := func() (discovery.Registry, error) { return m, nil }
	for _, row := range []struct {
		name   string
		config discovery.CompositeConfig
		field  string
		value  any
	}{
		{"NoMembers", discovery.CompositeConfig{}, "len(CompositeConfig.Members)", 0},
		{"UnknownRule", discovery.CompositeConfig{Rule: 7, Members: []discovery.Member{{Name: "a", Registry: m}}}, "CompositeConfig.Rule", 7},
		{"NegativePatience", discovery.CompositeConfig{Patience: -1, Members: []discovery.Member{{Name: "a", Registry: m}}}, "CompositeConfig.Patience", time.Duration(-1)},
		{"NoName", discovery.CompositeConfig{Members: []discovery.Member{{Name: "a", Registry: m}, {Registry: m}}}, "CompositeConfig.Members[1].Name", ""},
		{"LineBreakInName", discovery.CompositeConfig{Members: []discovery.Member{{Name: "a\nb", Registry: m}}}, "CompositeConfig.Members[0].Name", "a\nb"},
		{"NameTwice", discovery.CompositeConfig{Members: []discovery.Member{{Name: "a", Registry: m}, {Name: "a", Open: open}}}, "CompositeConfig.Members[1].Name", "a"},
		{"NoRegistry", discovery.CompositeConfig{Members: []discovery.Member{{Name: "a"}}}, "CompositeConfig.Members[0].Registry", nil},
		{"BothRegistryAndOpen", discovery.CompositeConfig{Members: []discovery.Member{{Name: "a", Registry: m, Open: open}}}, "CompositeConfig.Members[0].Open", "(set)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			wantFieldError(t, row.config.Validate(), row.field, row.value)
			r, err := row.config.Open()
			wantFieldError(t, err, row.field, row.value)
			if r != nil {
				t.Errorf("Open returned %v", r)
			}
		})
	}
}

func TestCompositeMemberThatOpensNothingIsRefused(t *testing.T) {
	_, err := discovery.NewComposite(discovery.CompositeConfig{Members: []discovery.Member{
		{Name: "a", Open: func() (discovery.Registry, error) { return nil, nil }},
	}})
	if err == nil {
		t.Error("a member without a registry was accepted")
	}
}

// closing is a registry that counts how often it was closed.
type closing struct {
	discovery.Memory
	closed int
	err    error
}

func (c *closing) Close(context.Context) error { c.closed++; return c.err }

func TestCompositeClosesWhatItOpened(t *testing.T) {
	opened, given := &closing{err: errAway}, &closing{}
	c, err := discovery.NewComposite(discovery.CompositeConfig{Members: []discovery.Member{
		{Name: "opened", Open: func() (discovery.Registry, error) { return opened, nil }},
		{Name: "given", Registry: given},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); !errors.Is(err, errAway) || err.Error() != "registry opened: the registry is away" {
		t.Errorf("Close: error %v; want the member's, and which it is", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("second Close: error %v", err)
	}
	if opened.closed != 1 || given.closed != 0 {
		t.Errorf("what it opened was closed %d times, what it was given %d times; want 1 and 0", opened.closed, given.closed)
	}
}

func TestCompositeClosesWhatItOpenedWhenTheNextCannotBeOpened(t *testing.T) {
	opened, given := &closing{}, &closing{}
	_, err := discovery.NewComposite(discovery.CompositeConfig{Members: []discovery.Member{
		{Name: "given", Registry: given},
		{Name: "opened", Open: func() (discovery.Registry, error) { return opened, nil }},
		{Name: "bad", Open: func() (discovery.Registry, error) { return nil, errAway }},
	}})
	if !errors.Is(err, errAway) || err.Error() != "registry bad: the registry is away" {
		t.Errorf("error %v; want the member's, and which it is", err)
	}
	if opened.closed != 1 || given.closed != 0 {
		t.Errorf("what it opened was closed %d times, what it was given %d times; want 1 and 0", opened.closed, given.closed)
	}
}
