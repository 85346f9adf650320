package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rule"
)

// What protects is set by code, and no document has a word for it.
func TestADocumentHasNoWordForSecurity(t *testing.T) {
	for _, name := range []string{"tls", "mtls", "insecureSkipVerify", "reach", "addressPolicy", "networks", "loopback", "hosts", "credentials", "identity", "pinning", "protection"} {
		for _, text := range []string{
			fmt.Sprintf(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders",%q:{}}}`, name),
			fmt.Sprintf(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders","routes":[{%q:{}}]}}`, name),
			fmt.Sprintf(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders","subsets":[{"name":"a","labels":{"a":"b"},%q:{}}]}}`, name),
		} {
			if _, err := rule.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), name+": unknown") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	// Nor may a destination be another service.
	_, err := rule.Decode([]byte(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders","routes":[{"route":[{"service":"payments","weight":100}]}]}}`))
	if err == nil || !strings.Contains(err.Error(), "route[0].service: unknown; allowed are subset, weight") {
		t.Error(err)
	}
}
