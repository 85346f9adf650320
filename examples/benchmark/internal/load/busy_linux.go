package load

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// Busy tells which share of its CPUs' time the machine works, or another one on the
// same host takes from it, while it waits for d.
func Busy(d time.Duration) (share float64, known bool) {
	idle, all, ok := ticks()
	time.Sleep(d)
	idleThen, allThen, okThen := ticks()
	if !ok || !okThen || allThen == all {
		return 0, false
	}
	return 1 - (idleThen-idle)/(allThen-all), true
}

// ticks are those of all CPUs since the machine began: of /proc/stat, of which the
// fourth and the fifth column are idle, and the last two are in the first two, too.
func ticks() (idle, all float64, ok bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	first, _, _ := bytes.Cut(stat, []byte("\n"))
	for i, field := range bytes.Fields(first) {
		n, err := strconv.ParseFloat(string(field), 64)
		switch {
		case i == 0 || i > 8:
			continue
		case err != nil:
			return 0, 0, false
		case i == 4 || i == 5:
			idle += n
		}
		all += n
	}
	return idle, all, all > 0
}
