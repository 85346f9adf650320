//go:build !race

package balancer_test

// expiries are as many as etcd was seen to revoke in five seconds.
const expiries = 5000

const underRace = false
