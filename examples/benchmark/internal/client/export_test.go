package client

// OpenMesh is the mesh of a fairlead variant, and Everything the document of
// fairlead-all, for tests that look inside.
var (
	OpenMesh   = openMesh
	Everything = everything
)
