// Package exit ends a program that plays a script and judges each step.
package exit

import (
	"encoding/json"
	"fmt"
	"os"
)

// With tells what went wrong on standard error, prints the verdicts as one JSON
// object in the last line if that is asked for, and ends the program with status
// 1 unless all is well.
func With[Step any](program string, ok bool, steps []Step, err error, asJSON bool) {
	if err != nil {
		fmt.Fprintln(os.Stderr, program+":", err)
		ok = false
	}
	if asJSON {
		out, _ := json.Marshal(struct {
			OK    bool   `json:"ok"`
			Steps []Step `json:"steps"`
		}{ok, steps})
		fmt.Println(string(out))
	}
	if !ok {
		os.Exit(1)
	}
}
