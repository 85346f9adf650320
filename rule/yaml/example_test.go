package yaml_test

import (
	"fmt"

	"github.com/fairlead-go/fairlead/rule/yaml"
)

func ExampleDecode() {
	policy, err := yaml.Decode([]byte(`
apiVersion: fairlead/v1alpha1
kind: ServicePolicy
spec:
  service: orders
  timeout: 800ms
  retries: {maxAttempts: 2, budget: {ratio: 10%}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy.Spec.Service, policy.Spec.Timeout, policy.Spec.Retries.Budget.Ratio)
	// Output: orders 800ms 10%
}
