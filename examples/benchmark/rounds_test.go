package main

import "testing"

func TestNoLaneRunsEarlierOrBehindTheSameOneMoreOftenThanAnother(t *testing.T) {
	const n = 4
	var places [n][n]int // by lane and place
	var first [n][n]int  // by two lanes: how often one ran before the other
	for round := range 2 * n {
		ran := map[int]bool{}
		for place, lane := range order(round, n) {
			places[lane][place]++
			for other := range ran {
				first[other][lane]++
			}
			ran[lane] = true
		}
		if len(ran) != n {
			t.Fatalf("round %d ran %v", round, ran)
		}
	}
	for a := range n {
		for place, count := range places[a] {
			if count != 2 {
				t.Errorf("lane %d stood %d times at place %d, want 2", a, count, place)
			}
		}
		for b := range a {
			if first[a][b] != first[b][a] {
				t.Errorf("lane %d ran before lane %d %d times, and after it %d times", a, b, first[a][b], first[b][a])
			}
		}
	}
}
