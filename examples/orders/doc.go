// Package orders is the gRPC service of the examples.
//
// Regenerate with protoc, protoc-gen-go v1.36.12 and protoc-gen-go-grpc
// v1.6.2:
//
//	protoc --go_out=. --go_opt=paths=source_relative \
//		--go-grpc_out=. --go-grpc_opt=paths=source_relative orders.proto
package orders
