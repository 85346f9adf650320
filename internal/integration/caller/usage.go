package caller

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// usage is what the process uses of the machine.
type usage struct {
	cpu time.Duration
	rss int64 // bytes; 0 where there is no /proc
}

func readUsage() usage {
	u := usage{cpu: cputime.Used()}
	statm, err := os.ReadFile("/proc/self/statm") // pages: size, resident, …
	if fields := bytes.Fields(statm); err == nil && len(fields) > 1 {
		pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		u.rss = pages * int64(os.Getpagesize())
	}
	return u
}
