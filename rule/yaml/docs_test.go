package yaml_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// Every document of docs/rules.md, and every spec there, is valid.
func TestDocumentsOfTheDocsAreValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	policies, settings := 0, 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		document := block[1]
		switch {
		case strings.HasPrefix(document, "#"): // the line for editors
			continue
		case strings.HasPrefix(document, "spec:"):
			document = "apiVersion: " + rule.APIVersion + "\nkind: " + rule.Kind + "\n" + document
		}
		if strings.Contains(document, "kind: "+rule.SettingsKind) {
			settings++
			_, err = yaml.DecodeSettings([]byte(document))
		} else {
			policies++
			_, err = yaml.Decode([]byte(document))
		}
		if err != nil {
			t.Errorf("%s\n%v", document, err)
		}
	}
	if policies < 3 || settings < 1 {
		t.Errorf("found %d policies and %d settings", policies, settings)
	}
}

// Every switch is named there.
func TestTheDocsNameEverySwitch(t *testing.T) {
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n`off` takes ")
	list, _, _ = strings.Cut(list, "documents say.")
	for _, feature := range rule.Features() {
		if !strings.Contains(list, "`"+feature+"`") {
			t.Errorf("%s is not among %q", feature, list)
		}
	}
}
