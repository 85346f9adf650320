package faults_test

// rows is the matrix of faults, as far as it is about the registry and about
// instances that come and go.
var rows = []row{
	atStartWithSnapshot,
	atStartWithoutSnapshot,
	registryDead,
	wiped,
	massExpiry,
	restored,
	slow,
	partitioned,
	stalledMember,
	leaderKilled,
	compacted,
	killed,
	nameless,
	rolling,
	flapping,
	relisting,
	malformed,
	hostile,
	churned,
	revoked,
	noSpace,
}
