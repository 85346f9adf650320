package main

// quick is what can be measured in two minutes.
func quick() lists {
	return lists{protocol: "http1,grpc", variants: "plain,round-robin,usual-stack,fairlead-metrics,fairlead-all,sidecar-one"}
}

// full is what is measured if nothing else is asked for. From the [centre], where
// everything is compared, it goes in each direction with the ways that matter most;
// all combinations would take a day.
func full() []lists {
	const (
		all  = "http1,http2,grpc,grpc-stream"
		two  = "http1,grpc"
		main = "usual-stack,fairlead-metrics,fairlead-all"
		one  = main + ",sidecar-one"
	)
	return []lists{
		{protocol: two, variants: centre().variants + ",sidecar2,central,fairlead-all-x4,fairlead-metrics-unix,fairlead-all-unix,sidecar-unix,sidecar2-one-unix"},
		{protocol: "http2,grpc-stream"},
		{protocol: two, concurrency: "1,128", variants: one},
		{protocol: "http2,grpc-stream", concurrency: "128", variants: main},
		{protocol: two, payload: "4096", variants: one},
		{protocol: all, payload: "65536", variants: one},
		{protocol: two, handler: "heavy", variants: one},
		{protocol: all, deadline: "1s", variants: one},
		{protocol: two, handler: "chain", variants: main},
	}
}
