package client

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
	"github.com/fairlead-go/fairlead/transport"
)

// everything is the document of fairlead-all.
//
//go:embed everything.yaml
var everything string

// critical is that of fairlead-critical, whose calls all say that they are: others
// would send that header, too, if it were theirs to send, so that it stands apart.
func critical() string {
	return strings.Replace(everything, "priority: default", "priority: critical", 1)
}

// rulesOf are those of a document, with the deadline of the calls; nil: neither is
// there.
func rulesOf(a Assignment, document string) (rule.Source, error) {
	deadline, err := a.deadline()
	if err != nil || document == "" && deadline == 0 {
		return nil, err
	}
	policy := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders"}}
	if document != "" {
		if policy, err = yaml.Decode([]byte(document)); err != nil {
			return nil, err
		}
	}
	policy.Spec.Timeout = rule.Duration(deadline)
	return rule.Static(policy)
}

// inForce waits until the rules and the list are there: no call would, and what is
// measured without its rules is something else.
func inForce(mesh *transport.Mesh, p discovery.Protocol) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	called, err := mesh.Called(ctx, "orders", p)
	if err != nil {
		return err
	}
	for range called {
		break // there is a list
	}
	for ctx.Err() == nil {
		if is := mesh.Dump().Services[0].Rules; is != nil && is.Revision > 0 {
			return obeyed(is)
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("no rules came in force")
}

// obeyed says what is not.
func obeyed(is *transport.RulesDump) error {
	switch {
	case is.Refused != "":
		return fmt.Errorf("rules were refused: %s", is.Refused)
	case len(is.Unheeded) > 0:
		return fmt.Errorf("rules are not obeyed: %s", strings.Join(is.Unheeded, "; "))
	}
	return nil
}
