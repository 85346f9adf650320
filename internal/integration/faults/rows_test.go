package faults_test

// rows is the matrix of faults, as far as it is about the registry, its rules
// and instances that come and go.
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
	badRule,
	hugeRule,
	deadlyRule,
	deletedRule,
	malformed,
	hostileMetadata,
	hostile,
	churned,
	revoked,
	noSpace,
}
