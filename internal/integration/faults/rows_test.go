package faults_test

// rows is the matrix of faults, as far as it is about the registry and about
// instances that die.
var rows = []row{
	registryDead,
	instanceKilled,
}
