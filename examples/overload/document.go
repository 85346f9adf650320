package main

// document is what the operator says of the calls to orders: how long they may
// take, what is tried again, and which of them matter.
const document = `apiVersion: fairlead/v1alpha1
kind: ServicePolicy
metadata: {name: orders}
spec:
  service: orders
  timeout: 1s
  retries: {maxAttempts: 3, perTryTimeout: 400ms, retryOn: [connect-failure, reset, timeout, overload]}
  routes:
    - {name: checkout, match: [{path: {prefix: /checkout}}], priority: critical}
    - {name: export, match: [{path: {prefix: /export}}], priority: sheddable}
`

// limits is what it says besides, in the second run.
const limits = `  throttle: {}
  concurrency:
    - {name: each, per: instance, adaptive: {}}
`
