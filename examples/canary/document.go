package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// document writes the rules of orders with a share of v2, in percent, into a
// file.
func (s *stage) document(share int) (path string, err error) {
	path = filepath.Join(s.dir, fmt.Sprintf("orders-%d.yaml", share))
	instead := "fallback: stable      # while all of a version is down"
	if s.broken == "strict" {
		instead = "strict: true"
	}
	return path, os.WriteFile(path, fmt.Appendf(nil, `apiVersion: fairlead/v1alpha1
kind: ServicePolicy
metadata: {name: orders-canary}
spec:
  service: orders
  subsets:
    - {name: stable, labels: {version: v1}}
    - {name: canary, labels: {version: v2}}
  routes:
    - name: all
      route: [{subset: stable, weight: %d}, {subset: canary, weight: %d}]
      %s
  retries: {maxAttempts: 3}
`, 100-share, share, instead), 0o600)
}

// mistaken is a document that no process may obey.
func (s *stage) mistaken() (path string, err error) {
	path = filepath.Join(s.dir, "mistaken.yaml")
	return path, os.WriteFile(path, []byte(`apiVersion: fairlead/v1alpha1
kind: ServicePolicy
spec:
  service: orders
  subsets: [{name: canary, labels: {version: v2}}]
  routes:
    - route: [{subset: canery, weight: 90}]   # a typing error, and where are the other ten?
`), 0o600)
}
