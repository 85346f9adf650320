// Package integration runs fairlead against real etcd processes and real sockets.
package integration
