package balancer

// handicap returns what the costs of two nodes of different weight count for, of
// n among which they were drawn: where outstanding calls could be divided, that
// would be (outstanding + 1) ÷ weight for each. They cannot, and a light node
// would get nothing as long as the heavier ones have few calls for their own
// weight: with one call on its way at the others, nothing below half of theirs.
// So the light node is spared that now and then, as often as it takes to have
// its share where nobody is busy, and only counts its own calls as so many more.
// The bits are the lowest, which the draw of the two hardly looks at.
func handicap(rand uint64, n int, aPer, bPer, aCalls, bCalls float32) (a, b float32) {
	if aPer < bPer {
		b, a = handicap(rand, n, bPer, aPer, bCalls, aCalls)
		return a, b
	}
	ratio := aPer / bPer
	if float32(uint16(rand))*(float32(n-1)*ratio+1) < float32(n)*(1<<16) {
		return aCalls*ratio + 1, bCalls + 1
	}
	return (aCalls + 1) * ratio, bCalls + 1
}
