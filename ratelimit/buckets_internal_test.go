package ratelimit

import "testing"

// Two callers may find at once that a key is not there. One makes its bucket, and the
// other gets that and gives its place back.
func TestBucketsMakeOneBucketForAKey(t *testing.T) {
	b, err := NewBuckets(RateConfig{Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	if first, second := b.ofNew(1, 0), b.ofNew(1, 0); first != second || b.Len() != 1 {
		t.Errorf("one bucket for both: %v, and %d places are taken, want 1", first == second, b.Len())
	}
}
